// Every chart of the page gets two buttons, which save what is on the screen as PNG and as SVG.

const CHARTS = "[data-testid=stPlotlyChart], [data-testid=stEChartsChart]";
const SVG = "http://www.w3.org/2000/svg";
const SHARPNESS = 2; // pixels of the PNG for each of the screen's

// Pages follow each other in one document, which is watched once: charts come and go, and ECharts
// empties the place that it draws into.
if (!window.chartFiles) {
  let due = 0;
  window.chartFiles = new MutationObserver(() => {
    cancelAnimationFrame(due);
    due = requestAnimationFrame(addButtons);
  });
  window.chartFiles.observe(document.body, { childList: true, subtree: true });
  addButtons();
}

function addButtons() {
  for (const chart of document.querySelectorAll(CHARTS)) {
    if (chart.querySelector(":scope > .chart-files")) continue;
    const place = document.createElement("div");
    place.className = "chart-files";
    place.append(button(chart, "PNG", toPng), button(chart, "SVG", (svg) => svg.file));
    chart.append(place);
  }
}

function button(chart, kind, make) {
  const found = document.createElement("button");
  found.type = "button";
  found.textContent = kind;
  found.title = `Save this chart as ${kind}`;
  found.setAttribute("aria-label", found.title);
  found.addEventListener("click", async (event) => {
    event.stopPropagation();
    save(await make(toSvg(chart)), `${nameOf(chart)}.${kind.toLowerCase()}`);
  });
  return found;
}

// All layers of a chart in one picture, on the colour of the page.
function toSvg(chart) {
  const layers = [...chart.querySelectorAll("svg")].filter((one) => !one.closest(".modebar-container"));
  const { width, height } = layers[0].getBoundingClientRect();
  const root = document.createElementNS(SVG, "svg");
  const ground = document.createElementNS(SVG, "rect");
  const page = getComputedStyle(chart.closest("[data-testid=stApp]"));
  for (const [element, more] of [
    [root, { viewBox: `0 0 ${width} ${height}`, "font-family": page.fontFamily }],
    [ground, { fill: page.backgroundColor }],
  ]) {
    const all = { width, height, ...more };
    for (const name in all) element.setAttribute(name, all[name]);
  }
  root.append(ground, ...layers.flatMap((one) => [...one.cloneNode(true).children]));
  root.querySelectorAll(".hoverlayer").forEach((one) => one.remove());
  const text = new XMLSerializer().serializeToString(root);
  return { width, height, file: new Blob([text], { type: "image/svg+xml" }) };
}

async function toPng({ width, height, file }) {
  const picture = new Image();
  picture.src = URL.createObjectURL(file);
  await picture.decode();
  URL.revokeObjectURL(picture.src);
  const canvas = document.createElement("canvas");
  canvas.width = width * SHARPNESS;
  canvas.height = height * SHARPNESS;
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}

function save(file, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// The page and the key of the chart, such as train-loss-chart.
function nameOf(chart) {
  const page = location.pathname.split("/").pop() || "home";
  const key = /st-key-([\w-]+)/.exec(chart.closest("[class*=st-key-]")?.className ?? "");
  return `${page}-${key ? key[1] : "chart"}`;
}
