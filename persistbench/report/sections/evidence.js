// The table of the section Evidence, made by DataTables from the figures of the page.
"use strict";
(async () => {
  const { default: DataTable } = await persistbench.library("datatables");
  await persistbench.opened;
  const plain = DataTable.render.text(); // escapes what comes from outside
  const text = (name) => ({ title: name, name, data: name, render: plain });
  const measured = (field, shown) => ({
    data: null,
    type: "num",
    className: "number",
    render: (row, kind) =>
      kind === "sort" ? (row[field] ?? Infinity) : plain.display(row[shown] || row.status),
  });
  const table = new DataTable("#figures", {
    columns: [
      ...["question", "pipeline", "backend"].map(text),
      { title: "median", ...measured("value", "shown") },
      { title: "99 % interval", data: "interval", render: plain, orderable: false },
      { title: "samples", data: "samples" },
      {
        title: "× pickle-5", data: "to_pickle-5", className: "number",
        render: (times, kind) => (kind === "sort" ? times ?? Infinity
          : times == null ? "" : `${Number(times.toPrecision(3))}×`),
      },
      { title: "CPU", data: "cpu", render: plain, orderable: false, className: "number" },
      ...["status", "reason"].map(text),
    ],
    deferRender: true,
    autoWidth: false,
    pageLength: 25,
    order: [[0, "asc"], [1, "asc"], [3, "asc"]],
    layout: { topStart: "pageLength", topEnd: "search", bottomStart: "info", bottomEnd: "paging" },
  });
  // One list of choices for each column that has few values.
  for (const name of ["question", "pipeline", "backend", "status"]) {
    const label = document.createElement("label");
    const choice = document.createElement("select");
    const words = new Set(persistbench.figures.map((row) => row[name]));
    choice.append(new Option("all", ""));
    for (const word of [...words].sort()) choice.append(new Option(word, word));
    label.append(`${name} `, choice);
    document.getElementById("filters").append(label);
    choice.addEventListener("change", () =>
      table.column(`${name}:name`).search(choice.value, { exact: choice.value !== "" }).draw());
  }
  persistbench.follow(({ place, pipeline, question }) => {
    const rows = persistbench.figures.flatMap((row, index) =>
      row.place === place && row.pipeline === pipeline && row.question === question
        ? persistbench.samples[index].map((value, call, all) =>
          ({ backend: row.backend, value, order: call / all.length }))
        : []);
    document.getElementById("no-samples").hidden = rows.length > 0;
    persistbench.draw("samples", rows);
  });
  let shown;
  persistbench.follow(({ place }) => {
    if (place === shown) return;
    shown = place;
    table.clear().rows.add(persistbench.figures.filter((row) => row.place === place)).draw();
  });
})();
