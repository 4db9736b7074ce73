// The ranking of the section Decide, from the figures of the page and the claims of the backends.
// total() is Deployment.total() and ratio() is compare.ratio() of the Python package.
"use strict";
(() => {
  const { backends: CLAIMS, floor: FLOOR, reference: REFERENCE, survivors: SURVIVORS, ran: RAN,
    equal: EQUAL } = JSON.parse(
    document.getElementById("claims").textContent,
  );
  const element = (id) => document.getElementById(id);

  // compare.steady(): the reference's median times the paired ratio.
  function steady(figure, reference) {
    if (reference?.status !== "ok" || figure[`to_${REFERENCE}`] == null) return figure;
    const times = (name) => reference.value * (figure[`to_${REFERENCE}${name}`] ?? Infinity);
    return { value: times(""), low: times("_low"), high: times("_high") };
  }

  function total(parts, work) {
    const moved = work.bandwidth > 0 ? parts.size.value / work.bandwidth : 0;
    // Processes that share memory share the file, too.
    const transfer = moved * (1 + (work.shared ? work.loads : work.loads * work.workers));
    const calls = work.loads * work.workers;
    const add = (end) => {
      const of = (figure) => figure[end] ?? figure.value;
      return of(parts.dump) + transfer + calls * of(parts.load);
    };
    return {
      value: add("value"), low: add("low"), high: add("high"),
      dump: parts.dump.value, transfer, loads: calls * parts.load.value,
    };
  }

  function ratio(one, other) {
    const below = Math.hypot(Math.log(one.value / one.low), Math.log(other.high / other.value));
    const above = Math.hypot(Math.log(one.high / one.value), Math.log(other.value / other.low));
    const value = one.value / other.value;
    const [low, high] = [value * Math.exp(-below), value * Math.exp(above)];
    const equal = low >= 1 / EQUAL && high <= EQUAL; // as compare.Ratio.word
    return { value, mark: equal ? "=" : low <= 1 && high >= 1 ? "?" : "" };
  }

  /** Return what a backend said of itself when it was measured; undefined if no record says so. */
  function claimed(settings, backend) {
    const here = CLAIMS[settings.place] ?? {};
    return Object.hasOwn(here, backend) ? here[backend] : undefined;
  }

  /** Return whether code of a crafted file ran, used in one of these ways. */
  const ran = (settings, backend, ...ways) =>
    ways.some((way) => RAN[settings.place]?.[way]?.includes(backend));

  function refusals(backend, figures, settings) {
    const claims = claimed(settings, backend);
    const reasons = [];
    const load = settings.shared === "yes" ? "map_first_predict" : "load";
    for (const question of new Set(["dump", "size", load])) {
      const figure = figures.get(question);
      if (figure?.status !== "ok") {
        reasons.push(figure?.reason || `${question}: ${figure?.status ?? "not run"}`);
        break;
      }
    }
    if (!claims) reasons.push("no record says what it claims");
    else {
      if (settings.need === "estimator" && claims.returns !== "estimator")
        reasons.push("gives back a predictor, which cannot be fitted again, not the estimator");
      if (settings.trust === "no" && claims.executes_code)
        reasons.push(
          claims.restricted
            ? "opening the file calls listed names with any arguments"
            : "opening the file runs whatever code is in it",
        );
      else if (settings.trust === "no" && ran(settings, backend, "documented", "no trust"))
        reasons.push("opening a crafted file has run its code here: see Attack");
      if (settings.custom === "yes" && !claims.carries_code)
        reasons.push("saves functions and classes by name: who opens the file must be able to import them");
    }
    return reasons;
  }

  /** Return what a reader must know before taking a backend that is not out. */
  function notes(backend, settings) {
    const { tolerance, audits } = claimed(settings, backend);
    const texts = [];
    if (tolerance > 0) texts.push(`answers within ${tolerance}, not bit for bit`);
    if (settings.trust === "no" && audits) texts.push("opens only types that are on your list");
    if (settings.trust === "no" && ran(settings, backend, "reviewed"))
      texts.push("code has run with a reviewed list: see Attack");
    return texts.join("; ");
  }

  /** Return the part of the estimators that came back the same: never rounded up. */
  function survival(place, backend) {
    const [same, tried] = SURVIVORS[place]?.[backend] ?? [0, 0];
    return tried ? `${Math.floor((same / tried) * 1000) / 10} % of ${tried}` : "not tried";
  }

  function decide(settings) {
    const cells = new Map();
    for (const row of persistbench.figures) {
      if (row.place !== settings.place || row.pipeline !== settings.pipeline) continue;
      if (row.backend === FLOOR) continue;
      if (!cells.has(row.backend)) cells.set(row.backend, new Map());
      cells.get(row.backend).set(row.question, row);
    }
    const work = {
      loads: Number(settings.loads), workers: Number(settings.workers),
      bandwidth: Number(settings.bandwidth) * 1e6, shared: settings.shared === "yes",
    };
    const load = work.shared ? "map_first_predict" : "load";
    const reference = cells.get(REFERENCE);
    const ranking = [], out = new Map();
    for (const [backend, figures] of cells) {
      const reasons = refusals(backend, figures, settings);
      if (reasons.length === 0) {
        const part = (question) => steady(figures.get(question), reference?.get(question));
        const parts = { dump: part("dump"), load: part(load), size: figures.get("size") };
        ranking.push({ backend, ...total(parts, work) });
      }
      for (const reason of reasons) out.set(reason, [...(out.get(reason) ?? []), backend]);
    }
    ranking.sort((a, b) => a.value - b.value || (a.backend < b.backend ? -1 : 1));
    for (const row of ranking) row.ratio = ratio(row, ranking[0]);
    return { ranking, out };
  }

  // formats.human(), of seconds.
  function time(seconds) {
    const rounded = Number(seconds.toPrecision(3));
    const [scale, unit] = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"]].find(
      ([least]) => rounded >= least) ?? [1e-6, "µs"];
    return `${Number((rounded / scale).toPrecision(3))} ${unit}`;
  }

  function cell(row, tag, text) {
    const child = document.createElement(tag);
    child.textContent = text;
    row.append(child);
    return child;
  }

  function show(settings) {
    const { ranking, out } = decide(settings);
    const body = element("ranking").querySelector("tbody");
    body.replaceChildren();
    ranking.forEach((entry, index) => {
      const row = body.insertRow();
      row.dataset.backend = entry.backend;
      cell(row, "td", `${index ? entry.ratio.mark : ""}${index + 1}`);
      const name = cell(row, "th", entry.backend);
      name.scope = "row";
      const note = notes(entry.backend, settings);
      if (note) cell(name, "div", note).className = "price";
      cell(row, "td", time(entry.value)).dataset.seconds = entry.value;
      cell(row, "td", `${time(entry.low)} to ${time(entry.high)}`);
      cell(row, "td", index ? `${Number(entry.ratio.value.toPrecision(3))}×` : "1");
      if (Object.keys(SURVIVORS).length)
        cell(row, "td", survival(settings.place, entry.backend)).dataset.survival = "";
      for (const part of ["dump", "transfer", "loads"]) cell(row, "td", time(entry[part]));
    });
    element("ranking").hidden = ranking.length === 0;
    const close = ranking.slice(1).filter((entry) => entry.ratio.mark).map((entry) => entry.backend);
    element("verdict").textContent = ranking.length === 0
      ? `No backend measured here does that for ${settings.pipeline}.`
      : `${ranking[0].backend}: ${time(ranking[0].value)}`
        + (close.length ? `; equal or undecided: ${close.join(", ")}.` : ", the lowest total.");
    element("out-title").hidden = out.size === 0;
    const list = element("out");
    list.replaceChildren();
    for (const [reason, names] of out) {
      cell(list, "dt", names.join(", "));
      cell(list, "dd", reason);
    }
    persistbench.draw("totals", ranking.flatMap((entry) =>
      ["dump", "transfer", "loads"].map((part, order) => ({
        backend: entry.backend, part, order, seconds: entry[part], shown: time(entry[part]),
        low: entry.low, high: entry.high,
      }))));
    element("link").href = persistbench.address("decide");
  }

  persistbench.follow(show);
})();
