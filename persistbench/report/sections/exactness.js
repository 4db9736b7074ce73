// What the section Exactness shows of the chosen pipeline and backend.
"use strict";
(async () => {
  const { metrics: METRICS, matrix: MATRIX } = JSON.parse(
    document.getElementById("exactness-words").textContent,
  );
  const records = await persistbench.value("exactness-records");
  const element = (id) => document.getElementById(id);

  function add(tag, parent, text = "", facts = {}) {
    const child = Object.assign(document.createElement(tag), { textContent: text, ...facts });
    parent.append(child);
    return child;
  }

  function table(parent, caption, headings) {
    const whole = add("table", parent);
    add("caption", whole, caption);
    const row = add("tr", add("thead", whole));
    for (const heading of headings) add("th", row, heading, { scope: "col" });
    return add("tbody", whole);
  }

  const equal = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  /** Return both numbers with as many digits as it takes to see that they differ. */
  function digits(before, after) {
    const shown = (count) => [before, after].map((number) =>
      number == null ? "–" : String(Number(number.toPrecision(count))));
    const short = shown(4);
    return before !== after && short[0] === short[1] ? shown(12) : short;
  }

  function matrix(parent, rows) {
    const body = add("tbody", add("table", add("td", parent), "", { className: "matrix" }));
    for (const row of rows ?? []) {
      const line = add("tr", body);
      for (const count of row) add("td", line, count, { className: "number" });
    }
  }

  function row(body, name, differs) {
    const line = add("tr", body, "", { className: differs ? "missed" : "" });
    add("th", line, differs ? `≠ ${name}` : name, { scope: "row" });
    return line;
  }

  function compare(parent, rows, { before, after }) {
    const body = table(parent, `${rows} set`, ["", "before", "after"]);
    for (const name of METRICS) {
      const own = row(body, name, before[name] !== after[name]);
      for (const text of digits(before[name], after[name]))
        add("td", own, text, { className: "number" });
    }
    const own = row(body, MATRIX, !equal(before[MATRIX], after[MATRIX]));
    for (const side of [before, after]) matrix(own, side[MATRIX]);
  }

  function sentence(record, { pipeline, exact }) {
    if (!record) return `${pipeline ?? "No pipeline"} was not tried with ${exact}.`;
    const texts = Object.values(record.wrong);
    const why = record.reason && !texts.includes(record.reason) ? `: ${record.reason}` : "";
    const parts = [record.outcome + why,
      ...Object.entries(record.wrong).map(([check, text]) => `${check}: ${text}`)];
    if (record.largest_difference)
      parts.push(`largest difference ${record.largest_difference.toPrecision(2)}`);
    if (record.label_changes) parts.push(`labels changed: ${record.label_changes}`);
    return `${pipeline}, ${exact}: ${parts.join("; ")}.`;
  }

  const size = (bytes) => {
    const [least, unit] = [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]].find(
      ([at]) => bytes >= at) ?? [1, "B"];
    return `${Number((bytes / least).toPrecision(3))} ${unit}`;
  };

  const time = (seconds) => {
    const [least, unit] = [[1, "s"], [1e-3, "ms"]].find(([at]) => seconds >= at) ?? [1e-6, "µs"];
    return `${Number((seconds / least).toPrecision(3))} ${unit}`;
  };

  persistbench.follow((settings) => {
    const record = records.find(({ place, subject, backend }) => place === settings.place
      && subject === settings.pipeline && backend === settings.exact);
    element("exact-said").textContent = sentence(record, settings);
    element("exact-metrics").replaceChildren();
    for (const [rows, pair] of Object.entries(record?.metrics ?? {}))
      compare(element("exact-metrics"), rows, pair);
    const steps = record?.steps ?? [];
    element("exact-apart").textContent = record?.advice
      || (steps.length ? "It has one step." : "Its steps were not measured with this backend.");
    element("exact-steps").replaceChildren();
    if (steps.length === 0) return;
    const whole = steps.reduce((total, { bytes }) => total + (bytes ?? 0), 0);
    const body = table(element("exact-steps"), "Each step, saved and loaded apart",
      ["step", "class", "size", "share", "load", "its largest attribute"]);
    for (const { step, kind, bytes, load_seconds: seconds, largest, largest_bytes: most } of steps) {
      const line = add("tr", body);
      add("th", line, step, { scope: "row" });
      add("td", line, kind);
      const share = whole && bytes != null ? `${((bytes / whole) * 100).toFixed(1)} %` : "";
      for (const text of [bytes == null ? "not alone" : size(bytes), share,
        seconds == null ? "" : time(seconds)])
        add("td", line, text, { className: "number" });
      add("td", line, largest ? `${largest}, ${size(most ?? 0)}` : "");
    }
  });
})();
