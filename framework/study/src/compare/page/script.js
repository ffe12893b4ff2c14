"use strict";
// Draws the pictures from the data in the page, sorts the tables, opens the cells.
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const SVG = "http://www.w3.org/2000/svg";
const metric = data.metric ? data.metric.title : "quality";
const COLOURS = 10;

function node(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  for (const child of children) made.append(child);
  return made;
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const colour = (i) => `var(--c${i % COLOURS})`;

// Each cell has a colour and, if there are more cells than colours, a shape of its own.
const SHAPES = [
  (x, y, r) => node("circle", { cx: x, cy: y, r }),
  (x, y, r) => node("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r }),
  (x, y, r) => node("path", { d: `M${x} ${y - 1.2 * r}L${x + 1.2 * r} ${y + r}L${x - 1.2 * r} ${y + r}Z` }),
  (x, y, r) => node("path", { d: `M${x} ${y - 1.4 * r}L${x + 1.4 * r} ${y}L${x} ${y + 1.4 * r}L${x - 1.4 * r} ${y}Z` }),
];

function mark(i, x, y, r, open = false) {
  const made = SHAPES[(i + Math.floor(i / COLOURS)) % SHAPES.length](x, y, r);
  made.setAttribute("style", `fill:${open ? "var(--paper)" : colour(i)};stroke:${colour(i)};stroke-width:1.5`);
  return made;
}

// ---- scales and axes -------------------------------------------------------------------------------

function scale([low, high], [from, to], log = false) {
  const at = log ? Math.log2 : (v) => v;
  const span = at(high) - at(low) || 1;
  return (v) => from + ((at(v) - at(low)) / span) * (to - from);
}

function ticks(low, high, count = 5) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((m) => m * power >= rough) || 10);
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-6; v += step) found.push(v);
  return found;
}

const text = (v) => String(Number(v.toPrecision(6)));

function powers(low, high) {
  const found = [];
  for (let p = Math.floor(Math.log2(low)); 2 ** p <= high * 1.0001; p += 1) if (2 ** p >= low * 0.9999) found.push(2 ** p);
  return found.length > 1 ? found : [low, high];
}

// The range with a margin on both sides.
function padded(values, share = 0.05) {
  const known = values.filter(Number.isFinite);
  const low = Math.min(...known), high = Math.max(...known);
  const room = (high - low) * share || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

// Powers of ten for an axis that covers several of them.
function decades(low, high) {
  const found = [];
  for (let p = Math.ceil(Math.log10(low)); 10 ** p <= high * 1.0001; p += 1) found.push(10 ** p);
  return found;
}

// The range with a margin on both sides, and whether its axis is logarithmic: a few values far above
// the others would leave these no room.
function spread(values) {
  const known = values.filter(Number.isFinite);
  const low = Math.min(...known), high = Math.max(...known);
  const yLog = low > 0 && high > 50 * low;
  return yLog ? { ys: [low / 1.3, high * 1.3], yLog } : { ys: padded(values), yLog };
}

// An empty picture with axes, as { svg, x, y }; x and y are its scales. An axis of whole numbers has
// no marks between them.
function axes(figure, { xs, ys, xLabel, yLabel, log = false, yLog = false, whole = false, height = 380 }) {
  const width = Math.max(300, Math.round(figure.clientWidth || 900));
  const left = 62, right = 14, top = 26, bottom = 46;
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": figure.dataset.label });
  const x = scale(xs, [left, width - right], log), y = scale(ys, [height - bottom, top], yLog);
  const put = (content, at) => svg.append(node("text", { ...at, style: "fill:var(--soft);font-size:12px" }, content));
  for (const v of yLog ? decades(...ys) : ticks(...ys)) {
    svg.append(node("line", { x1: left, x2: width - right, y1: y(v), y2: y(v), style: "stroke:var(--line)" }));
    put(text(v), { x: left - 8, y: y(v) + 4, "text-anchor": "end" });
  }
  for (const v of log ? powers(...xs) : ticks(...xs, width < 500 ? 4 : 8)) {
    if (whole && !Number.isInteger(Number(text(v)))) continue;
    put(text(v), { x: x(v), y: height - bottom + 18, "text-anchor": "middle" });
  }
  put(xLabel, { x: (left + width - right) / 2, y: height - 8, "text-anchor": "middle" });
  put(yLabel, { x: left - 48, y: 14 });
  figure.replaceChildren(svg);
  return { svg, x, y, right: width - right, left };
}

function line(points, i, dashed = false) {
  const d = points.map(([x, y], k) => `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  return node("path", { d, "data-cell": i, style: `fill:none;stroke:${colour(i)};stroke-width:2${dashed ? ";stroke-dasharray:5 4" : ""}` });
}

function floor({ svg, y, left, right }) {
  if (!data.metric || !data.metric.floor) return;
  const at = y(data.metric.floor.mean);
  svg.append(node("line", { x1: left, x2: right, y1: at, y2: at, style: "stroke:var(--ink);stroke-dasharray:2 4" }));
  svg.append(node("text", { x: right, y: at - 5, "text-anchor": "end", style: "fill:var(--ink);font-size:11px" }, "real data"));
}

const title = (shape, words) => { shape.append(node("title", {}, words)); return shape; };
const hide = (id) => { const it = $(id); if (it) it.hidden = true; };
const scored = data.order.filter((i) => data.cells[i].score);

// ---- pictures --------------------------------------------------------------------------------------

function forest() {
  if (!scored.length) return hide("ranking");
  const figure = $("forest"), row = 26, top = 10, bottom = 44;
  const width = Math.max(300, figure.clientWidth || 900), names = Math.min(260, width * 0.38);
  const height = top + bottom + row * scored.length;
  const values = scored.flatMap((i) => { const s = data.cells[i].score; return [...s.values, ...(s.interval || [])]; });
  if (data.metric.floor) values.push(data.metric.floor.mean);
  const xs = padded(values);
  const x = scale(xs, [names, width - 16]);
  const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", role: "img", "aria-label": figure.dataset.label });
  for (const v of ticks(...xs)) {
    svg.append(node("line", { x1: x(v), x2: x(v), y1: top, y2: height - bottom, style: "stroke:var(--line)" }));
    svg.append(node("text", { x: x(v), y: height - bottom + 18, "text-anchor": "middle", style: "fill:var(--soft);font-size:12px" }, text(v)));
  }
  svg.append(node("text", { x: (names + width) / 2, y: height - 8, "text-anchor": "middle", style: "fill:var(--soft);font-size:12px" }, metric));
  if (data.metric.floor) {
    const at = x(data.metric.floor.mean);
    svg.append(node("line", { x1: at, x2: at, y1: top, y2: height - bottom, style: "stroke:var(--ink);stroke-dasharray:2 4" }));
  }
  scored.forEach((i, k) => {
    const cell = data.cells[i], y = top + row * (k + 0.5), group = node("g", { "data-cell": i });
    const most = Math.floor(names / 7), name = cell.name.length > most ? `${cell.name.slice(0, most - 1)}…` : cell.name;
    group.append(node("text", { x: names - 12, y: y + 4, "text-anchor": "end", style: "fill:var(--ink);font-size:12px" }, name));
    if (cell.score.interval) {
      const [a, b] = cell.score.interval.map((v) => x(Math.min(Math.max(v, xs[0]), xs[1])));
      group.append(node("line", { x1: a, x2: b, y1: y, y2: y, style: `stroke:${colour(i)};stroke-width:3;opacity:.55` }));
    }
    for (const v of cell.score.values) group.append(node("circle", { cx: x(v), cy: y, r: 2, style: `fill:${colour(i)};opacity:.6` }));
    group.append(mark(i, x(cell.score.mean), y, 5, cell.verdict === "worse" || cell.verdict === "unknown"));
    svg.append(title(group, `${cell.name}: ${cell.score.text}`));
  });
  figure.replaceChildren(svg);
}

const COSTS = [["nfe", "Network evaluations a sample"], ["sampling", "Seconds for 1,000 samples"], ["training", "Seconds of training"]];

function pareto() {
  const known = COSTS.filter(([key]) => scored.some((i) => data.cells[i][key]));
  if (!known.length) return hide("trade");
  const select = $("cost-kind");
  if (!select.options.length) {
    for (const [key, name] of known) select.append(element("option", { value: key }, name));
    select.onchange = pareto;
  }
  const [key, name] = known.find(([k]) => k === select.value) || known[0];
  const points = scored.filter((i) => data.cells[i][key]).map((i) => ({ i, x: data.cells[i][key].mean, y: data.cells[i].score.mean }));
  const floors = data.metric.floor ? [data.metric.floor.mean] : [];
  const view = axes($("pareto"), { xs: padded(points.map((p) => p.x)), ys: padded([...points.map((p) => p.y), ...floors]), xLabel: name, yLabel: metric, whole: key === "nfe" });
  floor(view);
  const sign = data.metric.better === "more" ? -1 : 1;
  const front = [];
  for (const p of [...points].sort((a, b) => a.x - b.x || sign * (a.y - b.y))) {
    if (!front.length || sign * p.y < sign * front[front.length - 1].y) front.push(p);
  }
  const d = front.map((p, k) => (k ? `H${view.x(p.x)}V${view.y(p.y)}` : `M${view.x(p.x)} ${view.y(p.y)}`)).join("");
  view.svg.append(node("path", { d, style: "fill:none;stroke:var(--strong);stroke-width:2" }));
  for (const p of points) {
    const words = `${data.cells[p.i].name}: ${data.cells[p.i].score.text} at ${data.cells[p.i][key].text}`;
    const shape = mark(p.i, view.x(p.x), view.y(p.y), 6);
    shape.setAttribute("data-cell", p.i);
    view.svg.append(title(shape, words));
  }
}

function curves() {
  const solvers = [...new Set(data.cells.flatMap((c) => c.curves.map((v) => v.solver)))];
  if (!solvers.length) return hide("evaluations");
  const select = $("solver");
  if (!select.options.length) {
    for (const name of ["all", ...solvers]) select.append(element("option", { value: name }, name));
    if (data.cells.length * solvers.length > 12) select.value = solvers[0];
    select.onchange = curves;
  }
  const shown = [];
  const seen = new Set();
  data.cells.forEach((cell, i) => {
    for (const curve of cell.curves) {
      if ((select.value === "all" || select.value === curve.solver) && curve.points.length) shown.push({ i, curve });
    }
  });
  const points = shown.flatMap(({ curve }) => curve.points);
  const floors = data.metric.floor ? [data.metric.floor.mean] : [];
  const xs = [Math.min(...points.map((p) => p[0])), Math.max(...points.map((p) => p[0]), 2)];
  const view = axes($("curves"), { xs, ...spread([...points.map((p) => p[1].mean), ...floors]), xLabel: "Network evaluations a sample", yLabel: metric, log: true, height: 420 });
  floor(view);
  for (const { i, curve } of shown) {
    const at = curve.points.map(([nfe, value]) => [view.x(nfe), view.y(value.mean)]);
    const key = JSON.stringify(at.map((p) => p.map(Math.round)));
    if (seen.has(key)) continue; // Cells that differ only in sampling share a model.
    seen.add(key);
    const group = node("g", { "data-cell": i });
    if (!curve.adaptive) group.append(line(at, i, solvers.indexOf(curve.solver) % 2 === 1));
    for (const [x, y] of at) group.append(mark(i, x, y, curve.adaptive ? 6 : 3.2, curve.adaptive));
    view.svg.append(title(group, `${data.cells[i].name}, ${curve.solver}`));
  }
}

function losses() {
  const kinds = [["train", "training loss"], ["val", "validation loss"], ["gradient_norm", "gradient norm"]].filter(([key]) => data.cells.some((c) => c.losses[key].some((v) => v !== null)));
  if (!kinds.length) return hide("losses");
  const select = $("course");
  if (!select.options.length) {
    for (const [key, name] of kinds) select.append(element("option", { value: key }, name));
    select.onchange = losses;
  }
  const lines = data.cells.map((c, i) => ({ i, at: c.losses[select.value].map((v, k) => [(k + 1) * c.losses.every, v]).filter((p) => p[1] !== null) })).filter((l) => l.at.length);
  const flat = lines.flatMap((l) => l.at);
  // High losses of the first epochs would flatten the rest.
  const sorted = flat.map((p) => p[1]).sort((a, b) => a - b);
  const high = sorted[Math.floor((sorted.length - 1) * 0.98)];
  const view = axes($("loss"), { xs: [Math.min(...flat.map((p) => p[0])), Math.max(...flat.map((p) => p[0]), 2)], ys: padded([sorted[0], high]), xLabel: "Epoch", yLabel: select.value === "gradient_norm" ? "Gradient norm" : "Loss", whole: true });
  for (const { i, at } of lines) {
    const { name, losses: { stopped } } = data.cells[i];
    const points = at.map(([x, v]) => [view.x(x), view.y(Math.min(v, high))]);
    view.svg.append(title(line(points, i), name));
    if (stopped) view.svg.append(title(mark(i, ...points.at(-1), 5, true), `${name}: training stopped ${stopped}`));
  }
}

function schedules() {
  const seen = new Map();
  data.cells.forEach((cell, i) => { if (cell.schedule) { const key = JSON.stringify(cell.schedule.gamma); if (!seen.has(key)) seen.set(key, i); } });
  if (!seen.size) return hide("schedules");
  const shown = [...seen.values()];
  for (const [id, key, name] of [["gamma", "gamma", "γ(t)"], ["alpha", "alpha_bar", "ᾱ(t)"]]) {
    const values = shown.flatMap((i) => data.cells[i].schedule[key]);
    const view = axes($(id), { xs: [0, 1], ys: padded(values), xLabel: "t, from noise (0) to data (1)", yLabel: name, height: 320 });
    for (const i of shown) {
      const { t, [key]: v } = data.cells[i].schedule;
      view.svg.append(title(line(t.map((x, k) => [view.x(x), view.y(v[k])]), i), data.cells[i].name));
    }
  }
}

// ---- points in the plane ---------------------------------------------------------------------------

const place = (whole, axis) => data.plane.origin[axis] + data.plane.step[axis] * whole;

// A CSS variable's colour for the canvas, in the current theme.
function inked(name) {
  const probe = element("i", { style: `color:var(${name})`, hidden: "" });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

// Colours of the cells and of the background points, looked up once for each theme.
let inks = [], pale = "";

function dip() {
  inks = Array.from({ length: COLOURS }, (_, i) => inked(`--c${i}`));
  pale = inked("--ghost");
}

function panel(name, i) {
  const canvas = element("canvas", { width: 440, height: 440, role: "img", "aria-label": `Points of ${name}`, style: "width:100%;aspect-ratio:1" });
  return { canvas, figure: element("figure", i === null ? {} : { "data-cell": i }, canvas, element("figcaption", {}, name)) };
}

function dots(canvas, box, xy, labels, { ghost = false, size = 3 } = {}) {
  const pen = canvas.getContext("2d"), n = canvas.width;
  pen.globalAlpha = ghost ? 1 : 0.75;
  for (let k = 0; k < xy.length / 2; k += 1) {
    if (xy[2 * k] === null || xy[2 * k + 1] === null) continue;
    const x = ((place(xy[2 * k], 0) - box[0]) / (box[1] - box[0])) * n;
    const y = n - ((place(xy[2 * k + 1], 1) - box[2]) / (box[3] - box[2])) * n;
    pen.fillStyle = ghost ? pale : inks[(labels ? labels[k] : 0) % COLOURS];
    pen.fillRect(x - size / 2, y - size / 2, size, size);
  }
  pen.globalAlpha = 1;
}

function samples() {
  const shown = data.order.filter((i) => data.cells[i].samples);
  if (!data.plane || !shown.length) return hide("samples");
  const { samples: box, real } = data.plane, panels = [];
  const classes = [...new Set((real && real.labels) || [])].sort((a, b) => a - b);
  const dot = (k) => node("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, node("circle", { cx: 7, cy: 7, r: 4.5, style: `fill:${colour(k)}` }));
  document.querySelector("[data-labels]").replaceChildren(...classes.map((k) => element("span", {}, dot(k), data.plane.names?.[k] ?? `label ${k}`)));
  if (real) {
    const { canvas, figure } = panel("real data", null);
    dots(canvas, box, real.xy, real.labels);
    panels.push(figure);
  }
  for (const i of shown) {
    const { canvas, figure } = panel(data.cells[i].name, i);
    if (real) dots(canvas, box, real.xy, null, { ghost: true });
    dots(canvas, box, data.cells[i].samples.xy, data.cells[i].samples.labels);
    panels.push(figure);
  }
  $("sample-panels").replaceChildren(...panels);
}

let moving = [];

function motion() {
  const shown = data.order.filter((i) => data.cells[i].paths);
  if (!data.plane || !shown.length) return hide("motion");
  moving = shown.map((i) => ({ paths: data.cells[i].paths, ...panel(data.cells[i].name, i) }));
  $("motion-panels").replaceChildren(...moving.map((m) => m.figure));
  still();
}

const TRACES = 48;

// Draws the traces of the first few points up to time number `upto`, and from there to their positions.
function traces(canvas, box, states, upto, now, labels) {
  const pen = canvas.getContext("2d"), n = canvas.width;
  const at = (xy, j) => [
    ((place(xy[2 * j], 0) - box[0]) / (box[1] - box[0])) * n,
    n - ((place(xy[2 * j + 1], 1) - box[2]) / (box[3] - box[2])) * n,
  ];
  pen.globalAlpha = 0.4;
  pen.lineWidth = 1.5;
  for (let j = 0; j < Math.min(TRACES, now.length / 2); j += 1) {
    const been = [...states.slice(0, upto), now].filter((xy) => xy[2 * j] !== null && xy[2 * j + 1] !== null);
    pen.strokeStyle = inks[(labels ? labels[j] : 0) % COLOURS];
    pen.beginPath();
    for (const xy of been) pen.lineTo(...at(xy, j));
    pen.stroke();
  }
  pen.globalAlpha = 1;
}

// Draws every panel at the slider's time, interpolated between the times of the data.
function still() {
  const t = Number($("time").value);
  $("time-value").textContent = `t = ${t.toFixed(2)}`;
  for (const { canvas, paths } of moving) {
    const { times, states, labels } = paths;
    let k = times.findIndex((time) => time >= t);
    if (k < 0) k = times.length - 1;
    const before = Math.max(0, k - 1), span = times[k] - times[before];
    const share = span > 0 ? Math.min(1, Math.max(0, (t - times[before]) / span)) : 1;
    const xy = states[k].map((v, j) => (v === null || states[before][j] === null ? null : states[before][j] + share * (v - states[before][j])));
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    if (data.plane.real) dots(canvas, data.plane.moving, data.plane.real.xy, null, { ghost: true, size: 2 });
    traces(canvas, data.plane.moving, states, k, xy, labels);
    dots(canvas, data.plane.moving, xy, labels);
  }
}

function player() {
  const button = $("play"), slider = $("time");
  let started = null;
  const show = (on) => { button.setAttribute("aria-pressed", String(on)); button.textContent = on ? "Pause" : "Play"; };
  const stop = () => { started = null; show(false); };
  function step(now) {
    if (started === null) return;
    const t = Math.min(1, (now - started) / 4000);
    slider.value = t;
    still();
    if (t < 1) requestAnimationFrame(step);
    else stop();
  }
  button.onclick = () => {
    if (started !== null) return stop();
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) { slider.value = 1; return still(); }
    const from = Number(slider.value) >= 1 ? 0 : Number(slider.value);
    started = performance.now() - 4000 * from;
    show(true);
    requestAnimationFrame(step);
  };
  slider.oninput = () => { stop(); still(); };
}

// ---- page -------------------------------------------------------------------------------------------

function legends() {
  for (const box of all("[data-legend]")) {
    box.replaceChildren(...data.cells.map((cell, i) => {
      const button = element("button", { type: "button", "data-cell": i, "aria-pressed": "false" }, swatch(i), cell.name);
      button.onclick = () => pick(button.getAttribute("aria-pressed") === "true" ? null : i);
      return button;
    }));
  }
  for (const place of all("[data-swatch]")) place.replaceChildren(swatch(Number(place.dataset.swatch)));
}

function swatch(i) {
  return node("svg", { viewBox: "0 0 14 14", width: 14, height: 14, "aria-hidden": "true" }, mark(i, 7, 7, 4.5));
}

// Fades every other cell's lines and marks.
function single(i) {
  for (const it of all("svg [data-cell]")) it.style.opacity = i === null || it.dataset.cell === String(i) ? "" : "0.12";
}

let picked = null;

function pick(i) {
  picked = i;
  single(i);
  for (const it of all(".legend [data-cell]")) it.setAttribute("aria-pressed", String(it.dataset.cell === String(i)));
}

// Highlights the cell under the pointer.
function hovering() {
  for (const box of all(".picture, .legend")) {
    box.onpointerover = (event) => {
      const cell = event.target.closest("[data-cell]");
      single(cell ? Number(cell.dataset.cell) : picked);
    };
    box.onpointerleave = () => single(picked);
  }
}

// Marks the section on the screen in the navigation bar, and scrolls its link into view.
function reading() {
  const links = new Map(all(".bar nav a").map((link) => [link.hash.slice(1), link]));
  for (const [id, link] of links) link.hidden = $(id).hidden;
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = links.get(target.id);
      if (!isIntersecting) link.removeAttribute("aria-current");
      else {
        link.setAttribute("aria-current", "location");
        const bar = link.parentElement;
        bar.scrollLeft = link.offsetLeft - bar.offsetLeft - (bar.clientWidth - link.offsetWidth) / 2;
      }
    }
  }, { rootMargin: "-25% 0px -75% 0px" });
  for (const id of links.keys()) seen.observe($(id));
}

function sorting() {
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table), body = table.tBodies[0];
    heads.forEach((head, column) => {
      head.querySelector("button").onclick = () => {
        const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", other === head ? way : "none"));
        const key = (row) => { const cell = row.cells[column]; return cell.dataset.key === undefined ? (column ? null : cell.textContent) : Number(cell.dataset.key); };
        const sign = way === "ascending" ? 1 : -1;
        const rows = [...body.rows].sort((a, b) => {
          const [u, v] = [key(a), key(b)];
          if (u === null || v === null) return (u === null) - (v === null);
          return sign * (typeof u === "string" ? u.localeCompare(v) : u - v);
        });
        body.append(...rows);
      };
    });
  }
}

function dialogs() {
  const dialog = $("cell");
  for (const button of all("[data-open]")) {
    button.onclick = () => {
      const full = $(`cell-${button.dataset.open}`);
      $("cell-name").textContent = data.cells[button.dataset.open].name;
      $("cell-body").replaceChildren(...all(":scope > .body", full).map((body) => body.cloneNode(true)));
      copying($("cell-body"));
      dialog.showModal();
    };
  }
  $("close").onclick = () => dialog.close();
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
}

function copying(root = document) {
  for (const button of all(".copy", root)) {
    button.onclick = async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    };
  }
}

function details() {
  const select = $("metric");
  if (!select) return;
  const show = () => { for (const it of all("[data-metric]")) it.hidden = it.dataset.metric !== select.value; };
  select.onchange = show;
  show();
}

function theme() {
  const root = document.documentElement, button = $("theme");
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const say = () => button.setAttribute("aria-pressed", String(dark()));
  button.onclick = () => { root.dataset.theme = dark() ? "light" : "dark"; say(); points(); };
  matchMedia("(prefers-color-scheme: dark)").onchange = () => { say(); points(); };
  say();
}

function points() {
  dip();
  samples();
  differences();
  motion();
}

function pictures() {
  forest();
  pareto();
  curves();
  losses();
  schedules();
}

pictures();
points();
player();
legends();
hovering();
reading();
sorting();
dialogs();
copying();
details();
theme();
let width = innerWidth;
addEventListener("resize", () => { if (innerWidth !== width) { width = innerWidth; pictures(); } });
