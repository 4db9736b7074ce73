// What all sections share: the figures, the settings with their address, and the charts.
//
// A setting is a form element with data-setting="NAME". Its value goes into the address and
// into the parameter NAME of every chart that has one, and is handed to persistbench.follow().
"use strict";
const persistbench = (() => {
  /** Return the text that templates.packed() has put into an element. */
  async function unpacked(id) {
    const text = atob(document.getElementById(id).textContent);
    const bytes = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  const value = async (id) => JSON.parse(await unpacked(id));

  async function library(id) {
    const address = URL.createObjectURL(new Blob([await unpacked(id)], { type: "text/javascript" }));
    return import(address).finally(() => URL.revokeObjectURL(address));
  }

  /** Return the rows that dataset.columns() has made columns of. */
  function rows(packed) {
    const columns = Object.entries(packed).map(([name, values]) =>
      [name, values.words ? values.numbers.map((number) => values.words[number]) : values]);
    return (columns[0]?.[1] ?? []).map((_, index) =>
      Object.fromEntries(columns.map(([name, values]) => [name, values[index]])));
  }

  let figures = [], samples = [], themes, open = false;
  const opened = value("data").then((data) => {
    figures = rows(data.figures);
    ({ samples, themes } = data);
  });
  opened.catch((error) => {
    const notice = document.getElementById("notice");
    notice.hidden = false;
    notice.textContent = `This browser cannot read the figures (${error.message});`
      + " one that is no older than 2023 can.";
  });
  const vega = library("vega");
  const charts = new Map(); // what each is made of, by name
  const drawn = new Map(); // promises, by name of the chart
  const controls = new Map();
  const followers = [];
  const views = new Map(); // by name of the chart
  let settling = Promise.resolve(); // until the charts show the settings
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
    settling = Promise.all([...views.values()].map((view) => parameters(view, values)));
    if (open) for (const follower of followers) follower(values);
  }

  async function embed(canvas) {
    const name = canvas.dataset.chart;
    const { spec, rows: packed } = await charts.get(name);
    const own = Object.entries(packed).map(([set, columns]) => [set, rows(columns)]);
    spec.datasets = { ...Object.fromEntries(own), figures, ...waiting.get(name) };
    await vega;
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

  /** Draw a chart, unless it is there. */
  function drawOnce(canvas) {
    const name = canvas.dataset.chart;
    if (!drawn.has(name))
      drawn.set(name, embed(canvas).catch((error) => {
        canvas.textContent = `This chart cannot be drawn: ${error.message}`;
        console.error(error);
      }));
    return drawn.get(name);
  }

  const drawAll = () => Promise.all([...document.querySelectorAll("[data-chart]")].map(drawOnce));

  // A chart is drawn when it comes near the window; the page is ready when those are there.
  const near = new IntersectionObserver(async (entries) => {
    for (const { isIntersecting, target } of entries)
      if (isIntersecting) {
        near.unobserve(target);
        await new Promise(setTimeout); // the page is shown, and answers, between two charts
        await drawOnce(target);
      }
    document.documentElement.dataset.ready = "true";
  }, { rootMargin: "50% 0%" });

  function colour() {
    document.documentElement.classList.toggle("dark", dark.matches);
    const shown = new Set(drawn.keys());
    drawn.clear();
    for (const canvas of document.querySelectorAll("[data-chart]"))
      if (shown.has(canvas.dataset.chart)) drawOnce(canvas);
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
    const canvases = document.querySelectorAll("[data-chart]");
    for (const { dataset: { chart } } of canvases) charts.set(chart, value(`chart-${chart}`));
    read(location.hash);
    update();
    await opened;
    open = true;
    update();
    colour();
    dark.addEventListener("change", colour);
    addEventListener("beforeprint", drawAll);
    addEventListener("hashchange", () => {
      read(location.hash);
      history.replaceState(null, "", address(sectionOf(location.hash)));
      update();
    });
    for (const canvas of canvases) near.observe(canvas);
    if (canvases.length === 0) document.documentElement.dataset.ready = "true";
  });

  return {
    get figures() { return figures; },
    get samples() { return samples; }, // of each figure, in the same order
    opened, // a promise: the figures are there
    value,
    rows,
    library,
    drawAll,
    /** Return a promise that is kept when the charts show the settings. */
    settled: () => settling.then(() => null),
    address,
    /** Call a function with the settings, when the figures are there and at every change. */
    follow(follower) {
      followers.push(follower);
      if (open) follower(settings());
    },
    /** Give a chart the rows of the data set that bears its name. */
    draw(chart, rows) {
      waiting.set(chart, { [chart]: rows });
      views.get(chart)?.data(chart, rows).runAsync();
    },
  };
})();
