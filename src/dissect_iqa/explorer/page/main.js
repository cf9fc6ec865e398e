
// --- all of it -----------------------------------------------------------------------------------

let found = [];  // the rows that are shown
const PARTS = [
  // what of the page hangs on what of the state
  [() => { found = rows(); }, WHAT],
  [drawFilters, WHAT],
  [drawTable, [...WHAT, "sort", "down"]],
  [markTable, [...WHAT, "sort", "down", "one"]],
  [drawCurves, WHAT],
  [() => light(), ["one"]],
  [drawOne, [...WHAT, "one"]],
  [drawPairs, ["set", "one"]],
  [drawPair, ["set", "one", "pair"]],
];
const drawn = new Map();
let drawing = Promise.resolve();

function draw() {
  // one after the other, or an earlier view could end up above a later one
  drawing = drawing.then(drawNow).catch((error) => {
    $("#status").textContent = "This could not be shown: " + error.message;
    console.error(error);
  });
  return drawing;
}

async function drawNow() {
  const began = performance.now();
  for (const [part, hangsOn] of PARTS) {
    const now = JSON.stringify(hangsOn.map((key) => state[key]));
    if (drawn.get(part) === now) continue;
    drawn.delete(part);
    await part();
    drawn.set(part, now);
  }
  document.documentElement.dataset.drawn = (performance.now() - began).toFixed(1);
}

function anew() {
  for (const [name, known] of Object.entries(charts)) {
    known.finalize();
    delete charts[name];
  }
  drawn.clear();
  return draw();
}

function later(action) {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(action, 120);
  };
}

function listen() {
  const form = $("#filters");
  for (const name of ["set", "measure", "distance", "subset"]) {
    form.elements[name].addEventListener("change", (event) =>
      change({ [name]: event.target.value, ...(name === "set" ? { pair: "" } : {}) }));
  }
  form.elements.find.addEventListener("input", later(() =>
    change({ find: form.elements.find.value })));
  // not a link: the address is the view's
  $(".skip").addEventListener("click", () => $("#table-part").focus());
  const closed = (but) => form.querySelectorAll("details").forEach((one) => {
    if (one !== but) one.open = false;
  });
  addEventListener("pointerdown", (event) => closed(event.target.closest("details")));
  addEventListener("keydown", (event) => { if (event.key === "Escape") closed(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  $("#reset").addEventListener("click", () => {
    for (const key of FACETS) state[key] = null;
    form.elements.find.value = "";
    change(defaults());
  });
  $("#csv").addEventListener("click", save);
  const body = $("#table tbody");
  const named = (event) => event.target.closest("tr")?.dataset.name;
  body.addEventListener("click", (event) => {
    if (named(event)) change({ one: named(event), pair: "" });
  });
  for (const [on, off] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    body.addEventListener(on, (event) => light(named(event)));
    body.addEventListener(off, () => light());
  }
  $("#worst").addEventListener("click", (event) => {
    const pair = event.target.closest("button")?.dataset.pair;
    if (pair) change({ pair });
  });
  addEventListener("hashchange", () => { readAddress(); draw(); });
  let wide = innerWidth;
  addEventListener("resize", later(() => {
    if (innerWidth !== wide) anew();  // a telephone's bars come and go with scrolling
    wide = innerWidth;
  }));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", anew);
}

async function start() {
  await unpack();
  $("#notice").textContent = study.notice;
  if (study.sets.length) {
    readAddress();
    listen();
    await draw();
  } else {
    $("main").hidden = $("#filters").hidden = true;
    $("#status").textContent = "No layer and no metric has a correlation with people\u2019s opinions.";
  }
  document.documentElement.dataset.ready = performance.now().toFixed(0);
}

start().catch((error) => {
  $("#status").textContent = "This page could not be shown: " + error.message;
  throw error;
});
