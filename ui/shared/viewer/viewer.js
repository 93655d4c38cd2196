// Pictures that zoom together and name the object under the pointer.
// Data come whole on each run of the page; the zoom stays while `revision` and `focus` are the same.

const STEP = 1.25; // zoom of one notch of the wheel, or one press of a key
const MOST = 60;

const states = new Map(); // by key: the page may build the same viewer anew elsewhere
const heard = new WeakSet();

export default function ({ key, data, parentElement }) {
  const root = parentElement.querySelector(".viewer");
  if (!states.has(key)) {
    states.set(key, { zoom: 1, x: 0, y: 0, pens: new Map() });
  }
  const state = states.get(key);
  if (!heard.has(root)) listen(root, state);
  heard.add(root);
  const isNew = state.data?.revision !== data.revision;
  if (isNew) Object.assign(state, { zoom: 1, x: 0, y: 0 });
  if (data.focus && (isNew || String(state.data.focus) !== String(data.focus))) zoomTo(state, data);
  state.data = data;
  root.style.setProperty("--aspect", data.width / data.height);
  root.style.setProperty("--columns", data.columns);
  root.classList.toggle("several", data.panels.length > 1);
  drawPanels(root.querySelector(".panels"), data.panels);
  readNumbers(state);
  move(root, state);
}

function drawPanels(place, panels) {
  while (place.children.length > panels.length) place.lastChild.remove();
  while (place.children.length < panels.length) {
    const figure = document.createElement("figure");
    figure.innerHTML =
      "<figcaption><b></b><span></span></figcaption><div class=frame><div class=stage></div></div>";
    place.append(figure);
  }
  panels.forEach((panel, index) => {
    const figure = place.children[index];
    figure.querySelector("b").textContent = panel.title;
    figure.querySelector("span").textContent = panel.sentence;
    drawLayers(figure.querySelector(".stage"), panel.layers);
  });
}

function drawLayers(stage, layers) {
  while (stage.children.length > layers.length) stage.lastChild.remove();
  layers.forEach((source, index) => {
    const old = stage.children[index];
    if (old && old.wanted === source) return;
    const picture = new Image();
    picture.wanted = picture.src = source;
    picture.draggable = false;
    picture.alt = "";
    if (!old) return stage.append(picture);
    // The old picture stays until the new one is decoded: no flicker while a slider moves.
    old.wanted = source;
    picture.decode().finally(() => {
      const present = stage.children[index];
      if (present?.wanted === source) present.replaceWith(picture);
    });
  });
}

// Colours of hidden pictures are numbers: red + 256 green + 65536 blue.
function readNumbers(state) {
  const { ids, readings } = state.data;
  const wanted = [ids, ...readings.map((one) => one.source)].filter(Boolean);
  for (const source of state.pens.keys()) {
    if (!wanted.includes(source)) state.pens.delete(source);
  }
  for (const source of wanted) {
    if (state.pens.has(source)) continue;
    state.pens.set(source, null);
    const picture = new Image();
    picture.src = source;
    picture.decode().then(() => {
      if (!state.pens.has(source)) return;
      const canvas = document.createElement("canvas");
      canvas.width = picture.naturalWidth;
      canvas.height = picture.naturalHeight;
      const pen = canvas.getContext("2d", { willReadFrequently: true });
      pen.drawImage(picture, 0, 0);
      state.pens.set(source, pen);
    });
  }
}

function move(root, state) {
  const room = 1 - state.zoom;
  state.x = Math.min(0, Math.max(room, state.x));
  state.y = Math.min(0, Math.max(room, state.y));
  root.style.setProperty("--zoom", state.zoom);
  root.style.setProperty("--x", `${100 * state.x}%`);
  root.style.setProperty("--y", `${100 * state.y}%`);
  root.dataset.zoom = state.zoom.toFixed(3);
}

// x and y are shares of the frame, 0 to 1; the place under them stays where it is.
function zoomAt(root, state, factor, x, y) {
  const zoom = Math.min(MOST, Math.max(1, state.zoom * factor));
  state.x = x - ((x - state.x) * zoom) / state.zoom;
  state.y = y - ((y - state.y) * zoom) / state.zoom;
  state.zoom = zoom;
  move(root, state);
}

// The box in the middle, taking half of the picture.
function zoomTo(state, { focus, height, width }) {
  const [top, left, bottom, right] = focus;
  const share = Math.max((bottom - top) / height, (right - left) / width);
  state.zoom = Math.min(MOST, Math.max(1, 1 / (2 * share)));
  state.x = 0.5 - (state.zoom * (left + right)) / 2 / width;
  state.y = 0.5 - (state.zoom * (top + bottom)) / 2 / height;
}

function placeIn(frame, event) {
  const box = frame.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height, box];
}

function listen(root, state) {
  const tip = root.querySelector(".tip");
  let grip = null;
  root.addEventListener("wheel", (event) => {
    const frame = event.target.closest(".frame");
    if (!frame) return;
    event.preventDefault();
    const [x, y] = placeIn(frame, event);
    zoomAt(root, state, STEP ** (-event.deltaY / 100), x, y);
    show(event);
  }, { passive: false });
  root.addEventListener("pointerdown", (event) => {
    const frame = event.target.closest(".frame");
    if (!frame || event.button || event.pointerType === "touch") return;
    grip = { frame, x: event.clientX, y: event.clientY };
    frame.setPointerCapture(event.pointerId);
  });
  root.addEventListener("pointermove", (event) => {
    if (grip) {
      const box = grip.frame.getBoundingClientRect();
      state.x += (event.clientX - grip.x) / box.width;
      state.y += (event.clientY - grip.y) / box.height;
      Object.assign(grip, { x: event.clientX, y: event.clientY });
      move(root, state);
    }
    show(event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    root.addEventListener(end, () => (grip = null));
  }
  root.addEventListener("pointerleave", () => (tip.hidden = true));
  root.addEventListener("dblclick", () => {
    Object.assign(state, { zoom: 1, x: 0, y: 0 });
    move(root, state);
  });
  root.addEventListener("keydown", (event) => {
    const shift = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (event.key === "+" || event.key === "=") zoomAt(root, state, STEP, 0.5, 0.5);
    else if (event.key === "-") zoomAt(root, state, 1 / STEP, 0.5, 0.5);
    else if (event.key === "0") zoomAt(root, state, 0, 0.5, 0.5);
    else if (event.key in shift && state.zoom > 1) {
      state.x += 0.1 * shift[event.key][0];
      state.y += 0.1 * shift[event.key][1];
      move(root, state);
    } else return;
    event.preventDefault();
  });
  root.querySelector("button").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else root.requestFullscreen();
  });

  function show(event) {
    const frame = event.target.closest(".frame");
    const words = frame && describe(state, ...placeIn(frame, event));
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    const box = root.getBoundingClientRect();
    const left = event.clientX - box.left + 14;
    const flip = left + tip.offsetWidth > box.width;
    tip.style.left = `${flip ? left - tip.offsetWidth - 28 : left}px`;
    tip.style.top = `${event.clientY - box.top + 14}px`;
  }
}

// Under x and y, shares of the frame: the number in a hidden picture, null while it is not there.
function numberAt(state, source, x, y) {
  const pen = state.pens.get(source);
  if (!pen) return null;
  const column = Math.floor(((x - state.x) / state.zoom) * pen.canvas.width);
  const row = Math.floor(((y - state.y) / state.zoom) * pen.canvas.height);
  const [red, green, blue] = pen.getImageData(column, row, 1, 1).data;
  return red + 256 * green + 65536 * blue;
}

function describe(state, x, y) {
  const { data } = state;
  const lines = [];
  if (data.readings.length) {
    const row = Math.floor(((y - state.y) / state.zoom) * data.height);
    const column = Math.floor(((x - state.x) / state.zoom) * data.width);
    lines.push(`row ${row}, column ${column}`);
  }
  for (const { name, source, words, scale, offset } of data.readings) {
    const number = numberAt(state, source, x, y);
    const value = words[number] ?? +(offset + number * scale).toFixed(2);
    if (number !== null) lines.push(`${name}: ${value}`);
  }
  return [...lines, ...describeObject(state, x, y)].join("\n");
}

function describeObject(state, x, y) {
  const { ids, objects } = state.data;
  const index = ids && objects ? numberAt(state, ids, x, y) : null;
  if (!index) return [];
  const { label, area, word, size, unit } = objects;
  const pixels = area[index - 1];
  return [
    `object ${label[index - 1]}${word?.length ? `, ${word[index - 1]}` : ""}`,
    `area ${tidy(pixels * size * size)} ${unit}²`,
    `diameter ${tidy(2 * Math.sqrt(pixels / Math.PI) * size)} ${unit}`,
  ];
}

function tidy(number) {
  return Number(number.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 6 });
}
