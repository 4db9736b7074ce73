// What all sections share: the figures, the settings with their address, and the charts.
//
// A setting is a form element with data-setting="NAME". Its value goes into the address and
// into the parameter NAME of every chart that has one, and is handed to persistbench.follow().
"use strict";
const persistbench = (() => {
  const { figures: packed, samples, themes } = JSON.parse(document.getElementById("data").textContent);
  const columns = Object.entries(packed).map(([name, values]) =>
    [name, values.words ? values.numbers.map((number) => values.words[number]) : values]);
  const figures = columns[0][1].map((_, index) =>
    Object.fromEntries(columns.map(([name, values]) => [name, values[index]])));

  const controls = new Map();
  const followers = [];
  const views = new Map(); // by name of the chart
  const waiting = new Map(); // data sets of charts, by name of the chart
  const dark = matchMedia("(prefers-color-scheme: dark)");

  const settings = () => Object.fromEntries([...controls].map(([name, control]) =>
    [name, control.dataset.kind === "index" ? control.selectedIndex : control.value]));

  function address(section) {
    const parts = [...controls].map(([name, control]) =>
      `${name}=${encodeURIComponent(control.value)}`);
    return `#${[section, ...parts].filter(Boolean).join("&")}`;
  }

  const labelOf = (control) => control.labels[0].firstChild.textContent.trim();

  const sectionOf = (hash) => hash.slice(1).split("&")[0].replace(/.*=.*/, "");

  function read(hash) {
    const unknown = [];
    for (const part of hash.slice(1).split("&").filter((text) => text.includes("="))) {
      const [name, ...rest] = part.split("=");
      let value = rest.join("=");
      try { value = decodeURIComponent(value); } catch { /* a broken link is said below */ }
      const control = controls.get(name);
      const before = control?.value;
      if (control) control.value = value;
      if (control?.value !== value || !control.checkValidity()) {
        unknown.push(`${name}=${value}`);
        if (control) control.value = before;
      }
    }
    const notice = document.getElementById("notice");
    notice.hidden = unknown.length === 0;
    notice.textContent = `The link asks for ${unknown.join(", ")}, which is not in these results;`
      + " what you see is without it.";
    document.getElementById(sectionOf(hash))?.scrollIntoView();
  }

  function parameters(view, values) {
    const known = view.getState({ signals: () => true, data: () => false }).signals;
    for (const [name, value] of Object.entries(values)) if (name in known) view.signal(name, value);
    return view.runAsync();
  }

  function update() {
    const values = settings();
    for (const [name, value] of Object.entries(values))
      for (const part of document.querySelectorAll(`[data-${name}]`))
        part.hidden = part.dataset[name] !== String(value);
    for (const view of views.values()) parameters(view, values);
    for (const follower of followers) follower(values);
  }

  async function embed(canvas) {
    const name = canvas.dataset.chart;
    const spec = JSON.parse(document.getElementById(`chart-${name}`).textContent);
    spec.datasets = { ...spec.datasets, figures, ...waiting.get(name) };
    const { view } = await vegaEmbed(canvas, spec, {
      renderer: "svg",
      logLevel: 1, // errors; a chart as wide as its container warns that its height is its own
      config: themes[dark.matches ? "dark" : "light"],
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: `persistbench-${name}`,
    });
    views.set(name, view);
    await parameters(view, settings());
  }

  async function drawAll() {
    document.documentElement.classList.toggle("dark", dark.matches);
    for (const canvas of document.querySelectorAll("[data-chart]")) {
      await new Promise(setTimeout); // the page is shown, and answers, between two charts
      await embed(canvas).catch((error) => {
        canvas.textContent = `This chart cannot be drawn: ${error.message}`;
        console.error(error);
      });
    }
  }

  document.addEventListener("DOMContentLoaded", async () => {
    if (location.protocol === "file:")
      for (const link of document.querySelectorAll("a[href='history.html']"))
        link.append(" (needs asv preview)");
    for (const control of document.querySelectorAll("[data-setting]")) {
      controls.set(control.dataset.setting, control);
      control.addEventListener("input", () => {
        const notice = document.getElementById("notice");
        notice.hidden = control.checkValidity();
        notice.textContent = `${labelOf(control)}: ${control.validationMessage}`
          + " What you see is still for the number before.";
        if (!notice.hidden) return;
        history.replaceState(null, "", address(sectionOf(location.hash)));
        update();
      });
    }
    read(location.hash);
    update();
    dark.addEventListener("change", drawAll);
    addEventListener("hashchange", () => {
      read(location.hash);
      history.replaceState(null, "", address(sectionOf(location.hash)));
      update();
    });
    await drawAll();
    document.documentElement.dataset.ready = "true";
  });

  return {
    figures,
    samples, // of each figure, in the same order
    address,
    /** Call a function with the settings, now or when the page is whole, and at every change. */
    follow(follower) {
      followers.push(follower);
      if (document.readyState !== "loading" && controls.size) follower(settings());
    },
    /** Give a chart the rows of the data set that bears its name. */
    draw(chart, rows) {
      waiting.set(chart, { [chart]: rows });
      views.get(chart)?.data(chart, rows).runAsync();
    },
  };
})();
