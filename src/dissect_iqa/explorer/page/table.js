
// --- the table -----------------------------------------------------------------------------------

const COLUMNS = [
  { key: "name", title: "Name" },
  { key: "value", title: "Best", digits: 3 },
  { key: "low", title: "Interval" },
  { key: "honest", title: "Honest", digits: 3 },
  { key: "layer", title: "Best layer" },
  { key: "depth", title: "Depth", digits: 2 },
  { key: "last", title: "Last layer", digits: 3 },
  { key: "function", title: "Function" },
  { key: "family", title: "Family" },
  { key: "environment", title: "Environment" },
  { key: "top1", title: "Top-1", digits: 1 },
  { key: "parameters", title: "Parameters (M)", digits: 1 },
  { key: "gflops", title: "GFLOPs", digits: 1 },
];

const MEASURED = new Set(["value", "last"]);

function falls() {
  // whether what the table is sorted by falls from above: of errors the least is the best one
  const least = measure().less && ["value", "last", "low"].includes(state.sort);
  return (state.down === "1") !== Boolean(least);
}

function sorted(rows) {
  const key = state.sort, down = falls() ? 1 : -1;
  const known = (value) => (typeof value === "string" ? value !== "" : Number.isFinite(value));
  return [...rows].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (!known(x) || !known(y)) return known(y) - known(x);  // what isn't known comes last
    return down * (typeof x === "string" ? y.localeCompare(x, undefined, { numeric: true }) : y - x);
  });
}

const interval = (row) =>
  (Number.isFinite(row.low) ? `${shown(row.low, 2)} to ${shown(row.high, 2)}` : "");

function cell(row, { key, digits }) {
  if (key === "low") return interval(row);
  if (digits == null) return row[key] || "";
  return row[key] == null ? "" : shown(row[key], Math.min(digits, MEASURED.has(key) ? row.digits : 3));
}

function drawHead() {
  const head = document.createElement("tr");
  COLUMNS.forEach(({ key, title, digits }, i) => {
    const on = state.sort === key, down = falls();
    const th = text("th", "", { scope: "col", className: digits == null ? "" : "n" });
    th.setAttribute("aria-sort", on ? (down ? "descending" : "ascending") : "none");
    const button = text("button", title + (on ? (down ? " \u25be" : " \u25b4") : ""),
      { type: "button" });
    button.addEventListener("click", async () => {
      await change({ sort: key, down: on && state.down === "1" ? "0" : "1" });
      $("#table thead").querySelectorAll("button")[i].focus();
    });
    th.append(button);
    head.append(th);
  });
  $("#table thead").replaceChildren(head);
}

function drawTable() {
  drawHead();
  const { domain, range } = functionColours();
  $("#table tbody").replaceChildren(...sorted(found).map((row) => {
    const tr = text("tr", "", { className: row.name === state.one ? "picked" : "" });
    tr.dataset.name = row.name;
    const dot = text("span", "", { className: "dot", ariaHidden: "true" });
    dot.style.background = range[domain.indexOf(row.function)] || "transparent";
    const button = text("button", row.name, { type: "button" });
    const th = text("th", "", { scope: "row" });
    th.append(dot, button);
    tr.append(th, ...COLUMNS.slice(1).map((column) =>
      text("td", cell(row, column), { className: column.digits == null ? "" : "n" })));
    return tr;
  }));
  const networks = found.filter((row) => row.kind === "network").length;
  $("#status").textContent = `${networks} of ${study.networks.length} networks and `
    + `${found.length - networks} of ${study.metrics.length} metrics are shown.`;
}

function markTable() {
  for (const tr of $("#table tbody").rows) {
    const on = tr.dataset.name === state.one;
    tr.className = on ? "picked" : "";
    tr.querySelector("button").ariaCurrent = on ? "true" : null;
  }
}

function csv() {
  const quoted = (value) => {
    const plain = String(value);
    // no spreadsheet takes a name for a formula
    const safe = /^[=+@\t\r-]/.test(plain) && Number.isNaN(Number(plain)) ? "'" + plain : plain;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const keys = ["study", "dataset", "measure", "distance", "subset", "name", "kind", "value", "low",
    "high", "honest", "layer", "depth", "last", "function", "family", "environment", "top1",
    "parameters", "gflops", "remark"];
  const facts = { study: study.study, dataset: state.set, measure: state.measure,
    subset: state.subset, remark: [study.notice, set().remark].filter(Boolean).join(" ") };
  const lines = sorted(found).map((row) => {
    const whole = { ...facts, distance: row.kind === "metric" ? row.name : state.distance, ...row };
    return keys.map((key) => {
      const value = whole[key];
      return value == null || Number.isNaN(value) ? "" : quoted(value);
    }).join(",");
  });
  return [keys.join(","), ...lines].join("\n") + "\n";
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = `${study.study}_${state.set}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}
