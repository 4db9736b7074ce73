// What the section Exactness shows of the chosen pipeline and backend.
"use strict";
(async () => {
  const { metrics: METRICS, matrix: MATRIX } = JSON.parse(
    document.getElementById("exactness-words").textContent,
  );
  const records = await persistbench.value("exactness-records");
  const element = (id) => document.getElementById(id);

  function made(tag, parent, text = "", facts = {}) {
    const found = Object.assign(document.createElement(tag), { textContent: text, ...facts });
    parent.append(found);
    return found;
  }

  function table(parent, caption, headings) {
    const found = made("table", parent);
    made("caption", found, caption);
    const row = made("tr", made("thead", found));
    for (const heading of headings) made("th", row, heading, { scope: "col" });
    return made("tbody", found);
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
    const body = made("tbody", made("table", made("td", parent), "", { className: "matrix" }));
    for (const row of rows ?? []) {
      const line = made("tr", body);
      for (const count of row) made("td", line, count, { className: "number" });
    }
  }

  function row(body, name, differs) {
    const found = made("tr", body, "", { className: differs ? "missed" : "" });
    made("th", found, differs ? `≠ ${name}` : name, { scope: "row" });
    return found;
  }

  function compare(parent, rows, { before, after }) {
    const body = table(parent, `${rows} set`, ["", "before", "after"]);
    for (const name of METRICS) {
      const own = row(body, name, before[name] !== after[name]);
      for (const text of digits(before[name], after[name]))
        made("td", own, text, { className: "number" });
    }
    const own = row(body, MATRIX, !equal(before[MATRIX], after[MATRIX]));
    for (const side of [before, after]) matrix(own, side[MATRIX]);
  }

  function said(found, { pipeline, exact }) {
    if (!found) return `${pipeline ?? "No pipeline"} was not tried with ${exact}.`;
    const texts = Object.values(found.wrong);
    const why = found.reason && !texts.includes(found.reason) ? `: ${found.reason}` : "";
    const parts = [found.outcome + why,
      ...Object.entries(found.wrong).map(([check, text]) => `${check}: ${text}`)];
    if (found.largest_difference)
      parts.push(`largest difference ${found.largest_difference.toPrecision(2)}`);
    if (found.label_changes) parts.push(`labels changed: ${found.label_changes}`);
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
    const found = records.find((record) => record.place === settings.place
      && record.subject === settings.pipeline && record.backend === settings.exact);
    element("exact-said").textContent = said(found, settings);
    element("exact-metrics").replaceChildren();
    for (const [rows, pair] of Object.entries(found?.metrics ?? {}))
      compare(element("exact-metrics"), rows, pair);
    const steps = found?.steps ?? [];
    element("exact-apart").textContent = found?.advice
      || (steps.length ? "It has one step." : "Its steps were not weighed with this backend.");
    element("exact-steps").replaceChildren();
    if (steps.length === 0) return;
    const whole = steps.reduce((total, { bytes }) => total + (bytes ?? 0), 0);
    const body = table(element("exact-steps"), "Each step, saved and loaded apart",
      ["step", "class", "size", "share", "load", "its largest attribute"]);
    for (const { step, kind, bytes, load_seconds: seconds, largest, largest_bytes: most } of steps) {
      const line = made("tr", body);
      made("th", line, step, { scope: "row" });
      made("td", line, kind);
      const share = whole && bytes != null ? `${((bytes / whole) * 100).toFixed(1)} %` : "";
      for (const text of [bytes == null ? "not alone" : size(bytes), share,
        seconds == null ? "" : time(seconds)])
        made("td", line, text, { className: "number" });
      made("td", line, largest ? `${largest}, ${size(most ?? 0)}` : "");
    }
  });
})();
