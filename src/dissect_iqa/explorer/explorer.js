"use strict";
// The study's explorer. All data lie in the page; what is shown lies in the address, so that a view
// can be sent. Charts are Vega-Lite's; tables, filters and the address are plain.

const NOTHING = -32768;
const $ = (selector) => document.querySelector(selector);
const text = (tag, content, more = {}) =>
  Object.assign(document.createElement(tag), { textContent: content }, more);
const shown = (value, digits = 3) =>
  Number.isFinite(value) ? value.toFixed(digits).replace("-", "\u2212") : "\u2013";

let study, bytes;  // the header, and the buffer of all numbers
let state = {};
const charts = {};

// --- data ------------------------------------------------------------------------------------

async function unpack() {
  const packed = Uint8Array.from(atob($("#data").textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  bytes = await new Response(stream).arrayBuffer();
  const length = new DataView(bytes).getUint32(0, true);
  study = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
  study.start = 4 + length;
}

function numbers(part) {
  // part: [first, how many, scale, offset]; one place's numbers are read as they are asked for
  if (!part) return { length: 0, at: () => NaN };
  const raw = new Int16Array(bytes, study.start + 2 * part[0], part[1]);
  return {
    length: part[1],
    at: (i) => (raw[i] === NOTHING ? NaN : raw[i] / part[2] + (part[3] || 0)),
  };
}

const set = () => study.sets.find((one) => one.name === state.set) || study.sets[0];

function layersOf(one, network) {
  const own = one.layers[network];
  return own ? { names: own.names, depths: numbers(own.depths) } : null;
}

function profile(network) {
  // the chosen ordinate over depth: a list of {layer, depth, value, low, high}
  const one = set(), measure = one.measures[measureIndex()];
  const distance = measure.distances.indexOf(state.distance);
  const own = layersOf(one, network);
  if (!own || distance < 0 || !measure.values[network]) return [];
  const count = own.names.length, subsets = measure.subsets.length;
  const subset = Math.max(0, measure.subsets.indexOf(state.subset));
  const values = numbers(measure.values[network]);
  const low = numbers(measure.low && measure.low[network]);
  const high = numbers(measure.high && measure.high[network]);
  const rows = [];
  for (let i = 0; i < count; i++) {
    const value = values.at((distance * subsets + subset) * count + i);
    if (!Number.isFinite(value)) continue;
    const whole = subset === 0 && low.length > 0;
    rows.push({
      layer: own.names[i], depth: own.depths.at(i), value,
      low: whole ? low.at(distance * count + i) : NaN,
      high: whole ? high.at(distance * count + i) : NaN,
    });
  }
  return rows;
}

const measureIndex = () =>
  Math.max(0, set().measures.findIndex((one) => one.title === state.measure));

function best(rows, less) {
  return rows.reduce((kept, row) =>
    !kept || (less ? row.value < kept.value : row.value > kept.value) ? row : kept, null);
}

function passes(entry) {
  const find = (state.find || "").toLowerCase();
  if (find && !entry.name.toLowerCase().includes(find)) return false;
  if (entry.kind === "metric") return true;
  return ["function", "family", "environment"].every(
    (facet) => !state[facet] || state[facet].includes(entry[facet]));
}

function rows() {
  // a row a network or metric that passes the filters and has a value here
  const one = set(), measure = one.measures[measureIndex()];
  const found = [];
  const honest = numbers(one.honest), distance = one.measures[0].distances.indexOf(state.distance);
  study.networks.forEach((entry, i) => {
    if (!passes(entry)) return;
    const top = best(profile(i), measure.less);
    if (!top) return;
    const last = profile(i).at(-1);
    found.push({
      ...entry, index: i, value: top.value, low: top.low, high: top.high, layer: top.layer,
      depth: top.depth, last: last.value,
      honest: measure.honest && distance >= 0 && state.subset === "all"
        ? honest.at(i * one.measures[0].distances.length + distance) : NaN,
    });
  });
  const subset = measure.subsets.indexOf(state.subset);
  study.metrics.forEach((entry, i) => {
    if (!passes(entry) || !measure.metrics || subset < 0) return;
    const value = numbers(measure.metrics.values).at(i * measure.subsets.length + subset);
    if (!Number.isFinite(value)) return;
    const whole = subset === 0 && measure.metrics.low;
    found.push({
      ...entry, index: study.networks.length + i, value, layer: "", depth: NaN, last: NaN,
      low: whole ? numbers(measure.metrics.low).at(i) : NaN,
      high: whole ? numbers(measure.metrics.high).at(i) : NaN, honest: NaN,
    });
  });
  return found;
}

// --- the address -----------------------------------------------------------------------------

const LISTS = ["function", "family", "environment"];
const DEFAULTS = () => {
  const first = study.sets[0];
  return {
    set: first.name, measure: first.measures[0].title, distance: first.distance, subset: "all",
    find: "", sort: "value", down: "1", one: "", pair: "",
  };
};

function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  state = DEFAULTS();
  for (const key of Object.keys(state)) if (given.has(key)) state[key] = given.get(key);
  for (const key of LISTS) state[key] = given.has(key) ? given.getAll(key) : null;
  settle();
}

function settle() {
  // what another data set or ordinate doesn't have falls back to what it has
  const one = set();
  state.set = one.name;
  const measure = one.measures[measureIndex()];
  state.measure = measure.title;
  if (!measure.distances.includes(state.distance)) {
    state.distance = measure.distances.includes(one.distance) ? one.distance : measure.distances[0];
  }
  if (!measure.subsets.includes(state.subset)) state.subset = measure.subsets[0];
}

function writeAddress() {
  const kept = new URLSearchParams(), defaults = DEFAULTS();
  for (const key of Object.keys(defaults)) {
    if (state[key] !== defaults[key]) kept.set(key, state[key]);
  }
  for (const key of LISTS) for (const value of state[key] || []) kept.append(key, value);
  history.replaceState(null, "", "#" + kept.toString());
}

function change(changes) {
  Object.assign(state, changes);
  settle();
  writeAddress();
  draw();
}

// --- filters ---------------------------------------------------------------------------------

function choices(select, values, chosen, titles = (value) => value) {
  const same = select.options.length === values.length
    && values.every((value, i) => select.options[i].value === value);
  if (!same) select.replaceChildren(...values.map((value) => new Option(titles(value), value)));
  select.value = chosen;
}

function drawFilters() {
  const form = $("#filters"), one = set(), measure = one.measures[measureIndex()];
  choices(form.elements.set, study.sets.map((each) => each.name), state.set);
  choices(form.elements.measure, one.measures.map((each) => each.title), state.measure);
  choices(form.elements.distance, measure.distances, state.distance,
    (name) => study.distances[name] || name);
  choices(form.elements.subset, measure.subsets, state.subset,
    (name) => (name === "all" ? "all pairs" : name.replace(/^type:/, "")));
  if (form.elements.find.value !== state.find) form.elements.find.value = state.find;
  for (const facet of LISTS) {
    const field = form.querySelector(`[data-facet=${facet}]`);
    const values = [...new Set(study.networks.map((entry) => entry[facet]))];
    if (!field.children.length) {
      field.append(text("legend", facet, { className: "hint" }));
      for (const value of values) {
        const label = text("label", ""), box = document.createElement("input");
        Object.assign(box, { type: "checkbox", value });
        box.addEventListener("change", () => {
          const on = [...field.querySelectorAll("input:checked")].map((each) => each.value);
          change({ [facet]: on.length === values.length ? null : on });
        });
        label.append(box, " " + value);
        field.append(label);
      }
    }
    for (const box of field.querySelectorAll("input")) {
      box.checked = !state[facet] || state[facet].includes(box.value);
    }
    const some = state[facet] ? ` (${state[facet].length} of ${values.length})` : "";
    const title = facet[0].toUpperCase() + facet.slice(1) + some;
    form.querySelector(`[data-facet=${facet}]`).previousElementSibling.textContent = title;
  }
}

// --- charts ----------------------------------------------------------------------------------

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function config() {
  const ink = colour("--ink"), line = colour("--line");
  return {
    background: null, font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: ink, gridColor: line, gridOpacity: .5, domainColor: line,
      tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, symbolType: "circle",
      labelLimit: 260 },
    view: { stroke: null },
  };
}

function functionScale() {
  const names = Object.keys(study.functions);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return { domain: names, range: names.map((name) =>
    (dark && study.functions[name] === "#222222" ? "#e6e6e6" : study.functions[name])) };
}

async function chart(place, spec, data, picked) {
  // made once, then only its data change
  const known = charts[place];
  if (known && known.key === JSON.stringify(spec)) {
    for (const [name, values] of Object.entries(data)) known.view.data(name, values);
    await known.view.runAsync();
    return;
  }
  if (known) known.finalize();
  const full = { ...spec, config: config(), datasets: data };
  const made = await window.vegaEmbed("#" + place, full, { actions: false, renderer: "canvas",
    logLevel: 1 });
  made.view.addEventListener("click", (event, item) => {
    if (item && item.datum && picked) picked(item.datum);
  });
  charts[place] = { view: made.view, finalize: made.finalize, key: JSON.stringify(spec) };
}

const width = (place) => Math.max(240, $("#" + place).clientWidth - 4);

function drawCurves(found) {
  const one = set(), measure = one.measures[measureIndex()];
  const points = [];
  for (const row of found) {
    if (row.kind !== "network") continue;
    for (const each of profile(row.index)) {
      points.push({ name: row.name, function: row.function, depth: each.depth, value: each.value,
        layer: each.layer, weight: !state.one || state.one === row.name ? 1 : 0 });
    }
  }
  const levels = found.filter((row) => row.kind === "metric")
    .sort((a, b) => (measure.less ? a.value - b.value : b.value - a.value))
    .filter((row, i) => i < 3 || row.name === "PSNR" || row.name === state.one)
    .map((row) => ({ name: row.name, value: row.value }));
  const narrow = width("curves") < 500;
  const y = { field: "value", type: "quantitative", title: measure.axis,
    scale: { zero: false, reverse: Boolean(measure.less), nice: true } };
  const spec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: width("curves") - 70,
    height: narrow ? 260 : 340, autosize: { type: "pad" },
    description: "Lines of " + measure.axis + " over relative depth; the table has their best layers",
    layer: [
      { data: { name: "levels" }, mark: { type: "rule", strokeDash: [2, 2], color: colour("--soft") },
        encoding: { y } },
      { data: { name: "levels" }, mark: { type: "text", align: "left", dx: 3, dy: -5,
        color: colour("--soft"), fontSize: 11 },
        encoding: { y, x: { value: 0 }, text: { field: "name" } } },
      { data: { name: "points" }, mark: { type: "line", tooltip: false, strokeWidth: 1.4 },
        params: [{ name: "near", select: { type: "point", fields: ["name"], on: "pointerover",
          clear: "pointerout" } }],
        encoding: {
          x: { field: "depth", type: "quantitative", title: "relative depth",
            scale: { domain: [0, 1] } },
          y, detail: { field: "name" },
          color: { field: "function", scale: functionScale(),
            legend: { orient: "bottom", columns: narrow ? 1 : 3, title: null } },
          opacity: { condition: [{ param: "near", empty: false, value: 1 },
            { test: "datum.weight == 0", value: .15 }], value: .75 },
          size: { condition: { param: "near", empty: false, value: 3.5 }, value: 1.4 },
        } },
      { data: { name: "points" }, mark: { type: "point", filled: true, size: 60, opacity: 0 },
        encoding: {
          x: { field: "depth", type: "quantitative" }, y,
          tooltip: [{ field: "name" }, { field: "layer" },
            { field: "depth", format: ".2f" }, { field: "value", format: ".3f" }],
        } },
    ],
  };
  $("#curves-title").textContent = `${measure.axis} over depth: ${one.name}`;
  return chart("curves", spec, { points, levels }, (datum) => datum.name
    && change({ one: datum.name, pair: "" }));
}

// --- tables ----------------------------------------------------------------------------------

const COLUMNS = [
  ["name", "Name"], ["value", "Best"], ["interval", "Interval"], ["honest", "Honest"],
  ["layer", "Best layer"], ["depth", "Depth"], ["last", "Last layer"], ["function", "Function"],
  ["family", "Family"], ["environment", "Environment"], ["top1", "Top-1"],
  ["parameters", "Parameters (M)"], ["gflops", "GFLOPs"],
];
const NUMBERS = new Set(["value", "honest", "depth", "last", "top1", "parameters", "gflops"]);
const DIGITS = { depth: 2, top1: 1, parameters: 1, gflops: 1 };

function sorted(found) {
  const key = state.sort === "interval" ? "low" : state.sort, down = state.down === "1" ? -1 : 1;
  return [...found].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (typeof x === "string" || typeof y === "string") {
      return down * -1 * String(x ?? "").localeCompare(String(y ?? ""));
    }
    const [left, right] = [Number.isFinite(x), Number.isFinite(y)];
    if (!left || !right) return Number(right) - Number(left);  // what isn't known comes last
    return down * (x - y);
  });
}

function cell(row, key) {
  if (key === "interval") {
    return Number.isFinite(row.low) ? `${shown(row.low, 2)} to ${shown(row.high, 2)}` : "";
  }
  if (NUMBERS.has(key)) return row[key] == null ? "" : shown(row[key], DIGITS[key] ?? 3);
  return row[key] || "";
}

function drawTable(found) {
  const head = document.createElement("tr");
  for (const [key, title] of COLUMNS) {
    const th = text("th", "", { scope: "col" });
    const on = state.sort === key;
    th.setAttribute("aria-sort", on ? (state.down === "1" ? "descending" : "ascending") : "none");
    const arrow = on ? (state.down === "1" ? " \u25be" : " \u25b4") : "";
    const button = text("button", title + arrow, { type: "button" });
    button.addEventListener("click", () => {
      change({ sort: key, down: on ? (state.down === "1" ? "0" : "1") : "1" });
      $(`#table thead th:nth-child(${COLUMNS.findIndex((each) => each[0] === key) + 1}) button`)
        .focus();
    });
    th.append(button);
    head.append(th);
  }
  $("#table thead").replaceChildren(head);
  const scale = functionScale();
  const body = sorted(found).map((row) => {
    const tr = document.createElement("tr");
    if (row.name === state.one) tr.className = "picked";
    for (const [key] of COLUMNS) {
      if (key === "name") {
        const th = text("th", "", { scope: "row" });
        const dot = text("span", "", { className: "dot" });
        const place = scale.domain.indexOf(row.function);
        dot.style.background = place < 0 ? "transparent" : scale.range[place];
        dot.setAttribute("aria-hidden", "true");
        const button = text("button", row.name, { type: "button" });
        if (row.name === state.one) button.setAttribute("aria-current", "true");
        button.addEventListener("click", () => change({ one: row.name, pair: "" }));
        th.append(dot, button);
        tr.append(th);
      } else {
        tr.append(text("td", cell(row, key), { className: NUMBERS.has(key) ? "n" : "" }));
      }
    }
    return tr;
  });
  $("#table tbody").replaceChildren(...body);
  const networks = found.filter((row) => row.kind === "network").length;
  $("#status").textContent = `${networks} of ${study.networks.length} networks and `
    + `${found.length - networks} of ${study.metrics.length} metrics are shown.`;
}

function csv() {
  const quoted = (value) => {
    const plain = String(value);
    const safe = /^[=+@-]/.test(plain) && Number.isNaN(Number(plain)) ? "'" + plain : plain;
    return /[",\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const keys = ["study", "dataset", "measure", "distance", "subset", "name", "kind", "value", "low",
    "high", "honest", "layer", "depth", "last", "function", "family", "environment", "top1",
    "parameters", "gflops"];
  const facts = { study: study.study, dataset: state.set, measure: state.measure,
    distance: state.distance, subset: state.subset };
  const lines = sorted(rows()).map((row) => keys.map((key) => {
    const value = facts[key] ?? (key === "distance" && row.kind === "metric" ? row.name : row[key]);
    return value == null || Number.isNaN(value) ? "" : quoted(value);
  }).join(","));
  return [keys.join(","), ...lines].join("\n") + "\n";
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = `${study.study}_${state.set}.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}

// --- one network or metric -------------------------------------------------------------------

function fill(table, titles, lines) {
  const head = document.createElement("tr");
  head.append(...titles.map((title) => text("th", title, { scope: "col" })));
  table.tHead.replaceChildren(head);
  table.tBodies[0].replaceChildren(...lines.map((cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells.map((content, i) =>
      text(i ? "td" : "th", content, i ? { className: "n" } : { scope: "row" })));
    return tr;
  }));
}

function drawOne() {
  const names = [...study.networks, ...study.metrics];
  const index = names.findIndex((entry) => entry.name === state.one);
  $("#one").hidden = index < 0;
  if (index < 0) return;
  const entry = names[index], one = set();
  $("#one-title").textContent = entry.name;
  const facts = [["function", entry.function], ["family", entry.family],
    ["trained on", entry.environment], ["tuned on", entry.tuned_on]];
  $("#facts").textContent = facts.filter((each) => each[1])
    .map((each) => each.join(": ")).join("; ") || "A metric.";
  const own = entry.kind === "network" ? profile(index) : [];
  fill($("#layers"), ["Layer", "Depth", "Value", "Interval"], own.map((row) => [
    row.layer, shown(row.depth, 2), shown(row.value),
    Number.isFinite(row.low) ? `${shown(row.low, 2)} to ${shown(row.high, 2)}` : ""]));
  const met = one.contests ? contestsOf(index) : [];
  $("#contests-note").textContent = one.contests ? one.contests.note : "None were held here.";
  fill($("#contests"), ["Against", "Difference", "Interval", "Verdict"], met.map((row) => [
    row.name, shown(row.difference), `${shown(row.low)} to ${shown(row.high)}`, row.verdict]));
  drawPairs(index, entry);
}

function contestsOf(index) {
  const held = set().contests, names = [...study.networks, ...study.metrics];
  const [a, b] = [numbers(held.first), numbers(held.second)];
  const [difference, low, high] = [held.difference, held.low, held.high].map(numbers);
  const winner = numbers(held.winner), found = [];
  for (let i = 0; i < a.length; i++) {
    const turned = b.at(i) === index;
    if (a.at(i) !== index && !turned) continue;
    const sign = turned ? -1 : 1, won = winner.at(i);
    found.push({
      name: names[turned ? a.at(i) : b.at(i)].name, difference: sign * difference.at(i),
      low: turned ? -high.at(i) : low.at(i), high: turned ? -low.at(i) : high.at(i),
      verdict: won < 0 ? "can\u2019t be told" : won === index ? "wins" : "loses",
    });
  }
  return found.sort((x, y) => y.difference - x.difference);
}

// --- pairs -----------------------------------------------------------------------------------

function drawPairs(index, entry) {
  const given = set().pairs;
  const part = given && given.predicted[index];
  $("#pairs").hidden = !part;
  if (!part) return;
  const predicted = numbers(part), quality = numbers(given.quality), network = entry.kind === "network";
  $("#pairs-note").textContent = given.note
    + (network ? ` Distance: ${study.distances[given.distance] || given.distance}; layer: `
      + `${given.layers[index]}.` : "");
  const points = [];
  for (let i = 0; i < predicted.length; i++) {
    points.push({ pair: i, x: network ? -predicted.at(i) : predicted.at(i), y: quality.at(i),
      type: given.types[given.type[i]], file: given.distorted[i],
      picked: String(i) === state.pair ? 1 : 0 });
  }
  const options = ["", ...points.map((each) => String(each.pair))];
  choices($("#pair"), options, state.pair, (value) => value === "" ? "choose a pair, or click a dot"
    : `${given.distorted[value]}${given.thumbs[value] ? " (with pictures)" : ""}`);
  const x = { field: "x", type: "quantitative", title: network ? "distance" : "value of the metric",
    scale: { zero: false } };
  const y = { field: "y", type: "quantitative", title: "score (larger is better)",
    scale: { zero: false } };
  const spec = {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: width("scatter") - 70,
    height: 300, description: "Score against prediction, a dot a pair", autosize: { type: "pad" },
    layer: [
      { data: { name: "points" }, mark: { type: "circle", size: 26, opacity: .45, cursor: "pointer" },
        encoding: { x, y, color: { value: colour("--soft") },
          tooltip: [{ field: "file" }, { field: "type" }, { field: "y", title: "score" }] } },
      { data: { name: "points" }, transform: [{ filter: "datum.picked == 1" }],
        mark: { type: "point", size: 140, strokeWidth: 2.5, color: "#d55e00" },
        encoding: { x, y } },
    ],
  };
  chart("scatter", spec, { points }, (datum) => datum.pair != null
    && change({ pair: String(datum.pair) }));
  drawPair(given);
}

function drawPair(given) {
  const place = $("#pair-view"), i = Number(state.pair);
  if (state.pair === "" || !(i >= 0 && i < given.distorted.length)) {
    place.replaceChildren();
    return;
  }
  const parts = [];
  const thumb = given.thumbs[i];
  if (thumb) {
    for (const [picture, title] of [[thumb[0], given.reference[i]], [thumb[1], given.distorted[i]]]) {
      const figure = document.createElement("figure");
      const image = Object.assign(new Image(), { src: "data:image/webp;base64," + study.pictures[picture],
        alt: title });
      figure.append(image, text("figcaption", title));
      parts.push(figure);
    }
  } else {
    parts.push(text("p", `${given.reference[i]}, ${given.distorted[i]}: ${given.without}`));
  }
  const names = [...study.networks, ...study.metrics], quality = numbers(given.quality);
  const rank = (values, at) => {
    // how many pairs are better; equal ones share a rank
    const own = values.at(at);
    let above = 0;
    for (let k = 0; k < values.length; k++) if (values.at(k) > own) above += 1;
    return above + 1;
  };
  const people = rank(quality, i), lines = [];
  names.forEach((entry, k) => {
    if (!given.predicted[k]) return;
    const own = rank(numbers(given.predicted[k]), i);
    lines.push([entry.name, String(own), shown(own - people, 0)]);
  });
  lines.sort((a, b) => Number(a[1]) - Number(b[1]));
  const wrap = text("div", ""), table = document.createElement("table");
  wrap.append(text("p", `${given.types[given.type[i]]}; score ${shown(quality.at(i), 2)}, rank `
    + `${people} of ${quality.length} from the best. Ranks by networks and metrics:`));
  const scroll = text("div", "", { className: "scroll short", tabIndex: 0 });
  table.append(document.createElement("thead"), document.createElement("tbody"));
  fill(table, ["Who", "Rank", "Less people\u2019s"], lines);
  scroll.append(table);
  wrap.append(scroll);
  place.replaceChildren(...parts, wrap);
}

// --- all of it -------------------------------------------------------------------------------

function draw() {
  const began = performance.now();
  drawFilters();
  const found = rows();
  drawTable(found);
  drawOne();
  return drawCurves(found).then(() => {
    document.documentElement.dataset.drawn = (performance.now() - began).toFixed(0);
  });
}

function later(action) {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(action, 120);
  };
}

function anew() {
  for (const [name, known] of Object.entries(charts)) {
    known.finalize();
    delete charts[name];
  }
  draw();
}

async function start() {
  await unpack();
  $("#notice").textContent = study.notice;
  readAddress();
  for (const name of ["set", "measure", "distance", "subset"]) {
    $("#filters").elements[name].addEventListener("change", (event) =>
      change({ [name]: event.target.value, ...(name === "set" ? { pair: "" } : {}) }));
  }
  $("#filters").elements.find.addEventListener("input", later(() =>
    change({ find: $("#filters").elements.find.value })));
  $("#filters").addEventListener("submit", (event) => event.preventDefault());
  $("#reset").addEventListener("click", () => {
    for (const key of LISTS) state[key] = null;
    change(DEFAULTS());
  });
  $("#csv").addEventListener("click", save);
  $("#pair").addEventListener("change", (event) => change({ pair: event.target.value }));
  addEventListener("hashchange", () => { readAddress(); draw(); });
  addEventListener("resize", later(anew));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
  await draw();
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

start().catch((error) => {
  $("#status").textContent = "This page could not be shown: " + error.message;
  throw error;
});
