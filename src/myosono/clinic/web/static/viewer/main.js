// The viewer: which images are shown, and what buttons and keys do to them.

import { notify } from "../http.js";
import { t } from "../i18n.js";
import { Cine } from "./cine.js";
import { handle } from "./gestures.js";
import { Pane } from "./pane.js";

const images = JSON.parse(document.getElementById("images").textContent);
const classes = JSON.parse(document.getElementById("classes").textContent);
const byId = new Map(images.map((image) => [image.id, image]));
const frame = document.getElementById("panes");
const layer = document.getElementById("layer");
const opacity = document.getElementById("opacity");
const linked = document.getElementById("linked");
const help = document.getElementById("help");
const strip = document.getElementById("strip");
let tool = "pan";
let active = 0;
let beside = false;

const panes = [...document.querySelectorAll(".pane")].map(
  (root, number) =>
    new Pane(root, {
      onView: (view) => follow(number, view),
      onFail: (text) => notify(text, "danger"),
    }),
);
const cine = panes.map((pane, number) => new Cine(pane, () => number === active && showCine()));

/** The other pane takes the same zoom and place while they are linked. */
function follow(number, view) {
  if (!beside || !linked.checked) return;
  const other = panes[1 - number];
  other.view = { ...view };
  other.draw();
}

for (const [number, pane] of panes.entries()) {
  handle(pane, { tool: () => tool, onActive: () => activate(number) });
}

function activate(number) {
  if (active === number && panes[number].root.classList.contains("active")) return;
  active = number;
  for (const [at, pane] of panes.entries()) pane.root.classList.toggle("active", at === number);
  showCine();
  showStrip();
}

function choose(number, image, at = 0) {
  cine[number].stop();
  panes[number].show(image, at, { keepView: beside && linked.checked });
  showCine();
  showStrip();
  remember();
}

// -- the address names what is shown, so that it can be kept and sent to a colleague ----------------------------------

function remember() {
  const wanted = new URLSearchParams({ image: panes[0].image.id });
  if (beside && panes[1].image) wanted.set("beside", panes[1].image.id);
  history.replaceState(null, "", `#${wanted}`);
}

function fromAddress() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const first = byId.get(Number(wanted.get("image"))) ?? images.find((image) => image.frames.length) ?? images[0];
  if (!first) {
    notify(t("This study has no images."), "warn");
    return;
  }
  const second = byId.get(Number(wanted.get("beside")));
  choose(0, first);
  if (second) setBeside(true, second);
}

// -- tools ------------------------------------------------------------------------------------------------------------

function setTool(wanted) {
  tool = wanted;
  frame.dataset.tool = wanted;
  for (const button of document.querySelectorAll("[data-tool]")) {
    if (button.matches("button")) button.setAttribute("aria-pressed", String(button.dataset.tool === wanted));
  }
}

function setLayer(wanted) {
  layer.value = wanted;
  for (const pane of panes) {
    pane.layer = layer.value;
    pane.again();
  }
}

function setOpacity(wanted) {
  opacity.value = wanted;
  for (const pane of panes) {
    pane.opacity = Number(opacity.value) / 100;
    pane.draw();
  }
}

function setArea(on) {
  document.getElementById("area-toggle").setAttribute("aria-pressed", String(on));
  for (const pane of panes) {
    pane.showArea = on;
    pane.draw();
  }
}

/** The same muscle of the other side, if there is one, else the next image. */
function partner(image) {
  const other = images.find((one) => one.muscle && one.muscle === image.muscle && one.side !== image.side && one.frames.length);
  return other ?? images[(images.indexOf(image) + 1) % images.length];
}

function setBeside(on, second) {
  beside = on;
  frame.classList.toggle("beside", on);
  panes[1].root.hidden = !on;
  document.getElementById("beside-toggle").setAttribute("aria-pressed", String(on));
  document.getElementById("linked-label").hidden = !on;
  if (on) {
    panes[1].view = { ...panes[0].view };
    choose(1, second ?? partner(panes[0].image));
  } else {
    cine[1].stop();
    activate(0);
    remember();
  }
}

function step(by) {
  const pane = panes[active];
  const at = images.indexOf(pane.image);
  choose(active, images[(at + by + images.length) % images.length]);
}

const acts = {
  "zoom-in": () => panes[active].zoomAt(1.3),
  "zoom-out": () => panes[active].zoomAt(1 / 1.3),
  fit: () => panes[active].fit(),
  "reset-window": () => panes[active].resetWindow(),
  "clear-lines": () => panes[active].clearLines(),
  step: () => stepFrame(1),
  "step-back": () => stepFrame(-1),
};

for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", acts[button.dataset.do]);
for (const button of document.querySelectorAll("button[data-tool]")) button.addEventListener("click", () => setTool(button.dataset.tool));
layer.addEventListener("change", () => setLayer(layer.value));
opacity.addEventListener("input", () => setOpacity(opacity.value));
document.getElementById("area-toggle").addEventListener("click", () => setArea(!panes[0].showArea));
document.getElementById("beside-toggle").addEventListener("click", () => setBeside(!beside));
document.getElementById("help-open").addEventListener("click", () => help.showModal());

// -- cine -------------------------------------------------------------------------------------------------------------

const play = document.getElementById("play");
const slider = document.getElementById("frame");
const rate = document.getElementById("rate");

function showCine() {
  const count = cine[active].count;
  document.getElementById("cine").hidden = count < 2;
  slider.max = Math.max(0, count - 1);
  slider.value = panes[active].frame;
  document.getElementById("frame-number").textContent = `${panes[active].frame + 1} / ${count}`;
  play.textContent = cine[active].playing ? t("Stop") : t("Play");
}

function togglePlay() {
  const loop = cine[active];
  loop.rate = Math.min(60, Math.max(1, Number(rate.value) || 20));
  if (loop.playing) loop.stop();
  else loop.play();
  showCine();
}

function stepFrame(by) {
  cine[active].stop();
  cine[active].go(panes[active].asked + by);
}

play.addEventListener("click", togglePlay);
slider.addEventListener("input", () => {
  cine[active].stop();
  cine[active].go(Number(slider.value));
});
rate.addEventListener("change", () => cine.forEach((loop) => (loop.rate = Math.min(60, Math.max(1, Number(rate.value) || 20)))));

// -- the strip of all images --------------------------------------------------------------------------------------------

for (const image of images) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.image = image.id;
  const site = image.side && image.muscle ? `${image.side}${image.muscle}` : "?";
  if (image.status === "failed" || !image.frames.length) {
    const failed = document.createElement("div");
    failed.className = "failed";
    failed.textContent = image.status === "failed" ? t("not readable") : t("waits");
    button.append(failed);
  } else {
    const picture = document.createElement("img");
    picture.src = `/images/${image.id}/thumbnail.webp`;
    picture.loading = "lazy";
    picture.alt = "";
    button.append(picture);
  }
  const caption = document.createElement("span");
  caption.textContent = image.frames.length > 1 ? `${site} · ${image.frames.length}` : `${site} · ${image.name}`;
  button.title = image.name;
  button.append(caption);
  button.addEventListener("click", () => choose(active, image));
  strip.append(button);
}

function showStrip() {
  for (const button of strip.children) {
    const id = Number(button.dataset.image);
    const current = id === panes[active].image?.id;
    if (current) {
      button.setAttribute("aria-current", "true");
      button.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else button.removeAttribute("aria-current");
    button.classList.toggle("second", beside && id === panes[1 - active].image?.id);
  }
}

// -- keys -------------------------------------------------------------------------------------------------------------

const layers = ["", ...classes, "shrinkage"];
const keys = {
  ArrowRight: () => step(1),
  ArrowLeft: () => step(-1),
  " ": togglePlay,
  ".": () => stepFrame(1),
  ",": () => stepFrame(-1),
  p: () => setTool("pan"),
  w: () => setTool("window"),
  m: () => setTool("measure"),
  "+": acts["zoom-in"],
  "=": acts["zoom-in"],
  "-": acts["zoom-out"],
  f: acts.fit,
  r: acts["reset-window"],
  h: () => setLayer(layers[(layers.indexOf(layer.value) + 1) % layers.length]),
  "[": () => setOpacity(Math.max(0, Number(opacity.value) - 10)),
  "]": () => setOpacity(Math.min(100, Number(opacity.value) + 10)),
  c: () => setBeside(!beside),
  l: () => (linked.checked = !linked.checked),
  b: () => setArea(!panes[0].showArea),
  Delete: acts["clear-lines"],
  "?": () => help.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.matches("input, select, textarea")) return;
  if (event.key === " " && event.target.matches("button, a")) return;
  const act = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (!act || !images.length) return;
  event.preventDefault();
  act();
});

// A field that the pointer chose in gives the keys back to the images; whoever came by keyboard stays in it.
let pointed = false;
addEventListener("pointerdown", () => (pointed = true), true);
addEventListener("keydown", () => (pointed = false), true);
for (const field of [layer, opacity, linked]) field.addEventListener("change", () => pointed && field.blur());

addEventListener("hashchange", fromAddress);
setTool("pan");
setOpacity(opacity.value);
for (const [number, pane] of panes.entries()) pane.root.classList.toggle("active", number === 0);
fromAddress();
