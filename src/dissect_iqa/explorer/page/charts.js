
// --- charts --------------------------------------------------------------------------------------

const charts = {};
const SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json";  // its name; nothing is fetched
const FAR = 40;  // pixels from a point that still mean it

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const width = (place) => Math.max(240, $("#" + place).clientWidth - 74);

function config() {
  const ink = colour("--ink"), line = colour("--line");
  return {
    background: null, font: "system-ui, sans-serif",
    axis: { labelColor: ink, titleColor: ink, gridColor: line, gridOpacity: .5, domainColor: line,
      tickColor: line, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, symbolType: "circle",
      symbolStrokeWidth: 6, labelLimit: 260 },
    view: { stroke: null },
  };
}

function functionColours() {
  const names = Object.keys(study.functions);
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  return { domain: names, range: names.map((name) =>
    (dark && study.functions[name] === "#222222" ? "#e6e6e6" : study.functions[name])) };
}

async function chart(place, spec, data) {
  // made once; then only its data change
  const key = JSON.stringify(spec), known = charts[place];
  if (known && known.key === key) {
    for (const [name, values] of Object.entries(data)) known.view.data(name, values);
    await known.view.runAsync();
    return known.view;
  }
  if (known) known.finalize();
  const made = await window.vegaEmbed("#" + place, { ...spec, config: config(), datasets: data },
    { actions: false, renderer: "canvas", logLevel: 1, tooltip: false });
  charts[place] = { view: made.view, finalize: made.finalize, key };
  return made.view;
}

function follow(place, view, points, { says, near = () => {}, picked }) {
  // near(point or null) is called when another point is the nearest one, picked(point) on a click;
  // says(point) is what stands beside it
  let at = null;
  const nearest = (event) => {
    if (!at) {
      const [x, y] = [view.scale("x"), view.scale("y")];
      at = points.map((point) => [x(point.x), y(point.y)]);
    }
    const box = view.container().querySelector("canvas").getBoundingClientRect();
    const [left, top] = view.origin();
    const [across, down] = [event.clientX - box.left - left, event.clientY - box.top - top];
    let found = -1, least = FAR ** 2;
    at.forEach(([px, py], i) => {
      const away = (px - across) ** 2 + (py - down) ** 2;
      if (away < least) [found, least] = [i, away];
    });
    return found < 0 ? null : points[found];
  };
  let last = null;
  const moved = (event) => {
    const now = event.type === "pointerleave" ? null : nearest(event);
    if (now !== last) near(last = now);
    tip(now && says(now), event);
  };
  Object.assign($("#" + place), {
    onpointermove: moved, onpointerleave: moved,
    onclick: (event) => {
      const now = nearest(event);
      if (now) picked(now);
    },
  });
}

function tip(words, event) {
  const place = $("#tip");
  place.hidden = !words;
  if (!words) return;
  place.textContent = words;
  const right = Math.min(event.clientX + 14, innerWidth - place.offsetWidth - 8);
  place.style.left = Math.max(4, right) + "px";
  place.style.top = event.clientY + 16 + "px";
}

// --- curves over depth ---------------------------------------------------------------------------

function pointsOf(row) {
  return row.layers.map((each) => ({
    x: each.depth, y: each.value, name: row.name, function: row.function, layer: each.layer,
  }));
}

function curvesSpec() {
  const narrow = $("#curves").clientWidth < 500, soft = colour("--soft"), one = measure();
  const x = { field: "x", type: "quantitative", title: "relative depth", scale: { domain: [0, 1] } };
  const y = { field: "y", type: "quantitative", title: one.axis,
    scale: { zero: false, reverse: Boolean(one.less), nice: true } };
  const hue = { field: "function", type: "nominal", scale: functionColours(),
    legend: { orient: "bottom", columns: narrow ? 1 : 4, title: null } };
  const used = new Set(found.map((row) => row.function));
  hue.legend.values = Object.keys(study.functions).filter((name) => used.has(name));
  const at = { field: "at", type: "quantitative", scale: null, axis: null };
  const label = { type: "text", align: "left", baseline: "bottom", dx: 3, fontSize: 11 };
  return {
    $schema: SCHEMA, width: width("curves"), height: narrow ? 260 : 340,
    autosize: { type: "pad" }, description: `${one.axis} over relative depth, a line a network; `
      + "the table below has the same networks",
    layer: [
      { data: { name: "levels" }, mark: { type: "rule", strokeDash: [2, 2], color: soft },
        encoding: { y } },
      { data: { name: "lines" }, mark: { type: "line", strokeWidth: 1.3, opacity: .6 },
        encoding: { x, y, detail: { field: "name" }, color: hue } },
      { data: { name: "near" }, mark: { type: "line", strokeWidth: 6, color: colour("--paper") },
        encoding: { x, y, detail: { field: "name" } } },
      { data: { name: "near" }, mark: { type: "line", strokeWidth: 3.5, point: { size: 30 } },
        encoding: { x, y, detail: { field: "name" }, color: hue } },
      { data: { name: "labels" },
        mark: { ...label, stroke: colour("--paper"), strokeWidth: 4, strokeJoin: "round" },
        encoding: { x: { value: 0 }, y: at, text: { field: "name" } } },
      { data: { name: "labels" }, mark: { ...label, color: soft },
        encoding: { x: { value: 0 }, y: at, text: { field: "name" } } },
    ],
  };
}

function levels() {
  // the best metrics, PSNR, and the chosen one; and how high anything can score
  const { less, honest } = measure(), { ceiling } = set();
  const above = honest && ceiling != null && state.subset === "all"
    ? [{ name: "noise ceiling", y: ceiling }] : [];
  return above.concat(found.filter((row) => row.kind === "metric")
    .sort((a, b) => (less ? a.value - b.value : b.value - a.value))
    .filter((row, i) => i < 3 || row.index === study.psnr || row.name === state.one)
    .map((row) => ({ name: row.name, y: row.value })));
}

function apart(view, metrics) {
  // labels of lines that lie close stand above each other
  const scale = view.scale("y"), gap = 13;
  const placed = metrics.map((each) => ({ name: each.name, at: scale(each.y) }))
    .sort((a, b) => b.at - a.at);
  placed.forEach((each, i) => {
    if (i) each.at = Math.min(each.at, placed[i - 1].at - gap);
  });
  const over = gap - (placed.at(-1)?.at ?? gap);  // above the top: all move down again
  return over > 0 ? placed.map((each) => ({ ...each, at: each.at + over })) : placed;
}

const lineOf = (name) => found.filter((row) => row.name === name && row.layers).flatMap(pointsOf);

async function drawCurves() {
  const points = found.filter((row) => row.layers).flatMap(pointsOf), metrics = levels();
  $("#curves-title").textContent = `${measure().axis} over depth: ${set().name}`;
  const view = await chart("curves", curvesSpec(),
    { lines: points, levels: metrics, near: lineOf(state.one), labels: [] });
  view.data("labels", apart(view, metrics));
  await view.runAsync();
  follow("curves", view, points, {
    says: (point) =>
      `${point.name}, ${point.layer}: ${shown(point.y)} at depth ${shown(point.x, 2)}`,
    near: (point) => light(point?.name),
    picked: (point) => change({ one: point.name, pair: "" }),
  });
}

function light(name) {
  // one network's line in front: the one that is pointed at, else the chosen one
  const view = charts.curves?.view;
  return view ? view.data("near", lineOf(name || state.one)).runAsync() : undefined;
}
