// One image on a canvas: zoom, pan, brightness and contrast, a map over it, lines that measure.

import { t } from "../i18n.js";
import { bitmap, frameAddress, mapAddress } from "./frames.js";
import { lengthOf, regionAt } from "./geometry.js";
import { drawGrey } from "./grey.js";
import { drawLine, drawRegions } from "./marks.js";

const LARGEST = 24;

/** A probability in per cent; never 0 or 100, which no model can know. */
function chance(value) {
  const shown = Math.round(100 * value);
  if (shown < 1) return "< 1 %";
  return shown > 99 ? "> 99 %" : `${shown} %`;
}

export class Pane {
  /** `root` is the section; `onView` is called when zoom or place has changed, `onFail` with a message for people. */
  constructor(root, { onView = () => {}, onFail = () => {} } = {}) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.context = this.canvas.getContext("2d");
    this.onView = onView;
    this.onFail = onFail;
    this.image = null;
    this.frame = 0; // the one on the canvas, whose facts and lines are shown
    this.asked = 0; // the one that is being fetched
    this.picture = null;
    this.map = null;
    this.mapLayer = "";
    this.layer = "";
    this.opacity = 0.55;
    this.showArea = false;
    this.view = { zoom: 1, x: 0.5, y: 0.5 }; // zoom over fitting; x, y: what lies in the middle, as a share of the frame
    this.brightness = 1;
    this.contrast = 1;
    this.lines = new Map(); // image and frame -> lines, so that they are there again when the frame is
    this.drawn = null;
    this.wanted = 0;
    this.scheduled = false;
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  get facts() {
    return this.image?.frames[this.frame] ?? null;
  }

  /**
   * Show a frame of an image; the last one asked for wins. Whether it is shown: false if another was asked for meanwhile,
   * or it cannot be fetched.
   *
   * Picture, map, facts and lines change together: on a slow line the old frame stands with what belongs to it, and no
   * map is seen under the name of another.
   */
  async show(image, frame = 0, { keepView = false } = {}) {
    const mine = (this.wanted += 1);
    const at = Math.max(0, Math.min(frame, Math.max(0, image.frames.length - 1)));
    this.asked = at;
    if (image.id !== this.image?.id) {
      this.image = image;
      this.frame = at;
      this.picture = null;
      this.map = null;
      this.drawn = null;
      if (!keepView) this.view = { zoom: 1, x: 0.5, y: 0.5 };
    }
    if (this.layer !== this.mapLayer) this.map = null;
    this.mapLayer = this.layer;
    this.describe();
    this.draw();
    const facts = image.frames[at];
    const number = facts?.frame ?? 0;
    const layer = this.layer && facts?.maps ? this.layer : "";
    let reason = "";
    try {
      const [picture, map] = await Promise.all([
        bitmap(frameAddress(image.id, number)),
        layer ? bitmap(mapAddress(image.id, number, layer)).catch((error) => void (reason = error.message)) : null,
      ]);
      if (mine !== this.wanted) return false;
      this.frame = at;
      this.picture = picture;
      this.map = map ?? null;
      this.describe();
      if (reason) this.note(t("The map cannot be shown: {reason}", { reason }));
      this.root.dataset.ready = `${image.id}/${this.frame}/${layer}`;
      this.draw();
      return true;
    } catch (error) {
      if (mine !== this.wanted) return false;
      this.frame = at;
      this.picture = null;
      this.describe();
      this.note(error.message);
      this.draw();
      this.onFail(error.message);
      return false;
    }
  }

  again() {
    if (this.image) return this.show(this.image, this.asked);
    return Promise.resolve(false);
  }

  describe() {
    const { image, facts } = this;
    const site = image.side && image.muscle ? `${image.side}${image.muscle}` : t("site unknown");
    this.root.querySelector(".pane-title").textContent = `${site} · ${image.name}`;
    const words = [];
    if (facts) {
      const top = facts.label ?? Object.entries(facts.probabilities).sort((a, b) => b[1] - a[1])[0]?.[0];
      if (facts.abstained) words.push(t("no class"));
      else if (top) words.push(`${t(top)} ${chance(facts.probabilities[top])}`);
      if (facts.echoIntensity != null) words.push(t("echo intensity {value}", { value: facts.echoIntensity.toFixed(0) }));
      if (this.layer === "shrinkage") words.push(t("the threshold removed {percent} % of the features: a diagnostic of the network", { percent: Math.round(100 * facts.shrinkage) }));
    }
    // It stays when another image is chosen, so that both sides are seen alike: then it must be seen that it was changed.
    if (this.brightness !== 1 || this.contrast !== 1) words.push(t("brightness × {brightness}, contrast × {contrast}", { brightness: this.brightness.toFixed(1), contrast: this.contrast.toFixed(1) }));
    this.root.querySelector(".pane-facts").textContent = words.join("\n");
    const reasons = image.error ? [image.error] : (facts?.reasons ?? []);
    this.note(reasons.join("; "));
  }

  note(text) {
    const note = this.root.querySelector(".pane-note");
    note.textContent = text;
    note.hidden = !text;
  }

  // -- between screen and frame ------------------------------------------------------------------------------------

  /** Scale and offset: frame pixels to canvas pixels. */
  transform() {
    const { width, height } = this.picture;
    const fit = Math.min(this.canvas.width / width, this.canvas.height / height);
    const scale = fit * this.view.zoom;
    return {
      scale,
      dx: this.canvas.width / 2 - this.view.x * width * scale,
      dy: this.canvas.height / 2 - this.view.y * height * scale,
    };
  }

  /** A point of the page in pixels of the frame. */
  toFrame(clientX, clientY) {
    const box = this.canvas.getBoundingClientRect();
    const { scale, dx, dy } = this.transform();
    const ratio = this.canvas.width / box.width;
    return { x: ((clientX - box.left) * ratio - dx) / scale, y: ((clientY - box.top) * ratio - dy) / scale };
  }

  zoomAt(factor, clientX, clientY) {
    if (!this.picture) return;
    const box = this.canvas.getBoundingClientRect();
    const held = this.toFrame(clientX ?? box.left + box.width / 2, clientY ?? box.top + box.height / 2);
    const zoom = Math.min(LARGEST, Math.max(0.5, this.view.zoom * factor));
    const change = this.view.zoom / zoom;
    const { width, height } = this.picture;
    this.view = {
      zoom,
      x: held.x / width + (this.view.x - held.x / width) * change,
      y: held.y / height + (this.view.y - held.y / height) * change,
    };
    this.moved();
  }

  panBy(dx, dy) {
    if (!this.picture) return;
    const box = this.canvas.getBoundingClientRect();
    const { scale } = this.transform();
    const ratio = this.canvas.width / box.width / scale;
    this.view = {
      ...this.view,
      x: this.view.x - (dx * ratio) / this.picture.width,
      y: this.view.y - (dy * ratio) / this.picture.height,
    };
    this.moved();
  }

  fit() {
    this.view = { zoom: 1, x: 0.5, y: 0.5 };
    this.moved();
  }

  moved() {
    this.view.x = Math.min(1, Math.max(0, this.view.x));
    this.view.y = Math.min(1, Math.max(0, this.view.y));
    this.draw();
    this.onView(this.view);
  }

  // -- brightness and contrast -------------------------------------------------------------------------------------

  windowBy(dx, dy) {
    this.contrast = Math.min(6, Math.max(0.2, this.contrast * Math.exp(dx / 250)));
    this.brightness = Math.min(6, Math.max(0.1, this.brightness * Math.exp(-dy / 250)));
    this.describe();
    this.draw();
  }

  resetWindow() {
    this.brightness = 1;
    this.contrast = 1;
    if (this.image) this.describe();
    this.draw();
  }

  // -- lines -------------------------------------------------------------------------------------------------------

  get linesHere() {
    const place = `${this.image.id}/${this.frame}`;
    if (!this.lines.has(place)) this.lines.set(place, []);
    return this.lines.get(place);
  }

  startLine(point) {
    this.drawn = { a: point, b: point };
  }

  moveLine(point) {
    if (!this.drawn) return;
    this.drawn.b = point;
    this.draw();
  }

  /** Keep the line if it has a length; a tap is none. Returns its length, or null. */
  endLine() {
    const line = this.drawn;
    this.drawn = null;
    if (!line) return null;
    const length = this.measure(line);
    if (Math.hypot(line.b.x - line.a.x, line.b.y - line.a.y) >= 2 && length.reason !== "regions") this.linesHere.push(line);
    this.draw();
    return length;
  }

  measure(line) {
    return lengthOf(this.facts?.regions ?? [], line.a, line.b);
  }

  clearLines() {
    this.lines.delete(`${this.image?.id}/${this.frame}`);
    this.draw();
  }

  words(length) {
    if (length.reason === "regions") return t("crosses regions of different scale");
    if (length.mm === null) return t("{n} pixels (no scale)", { n: length.pixels.toFixed(0) });
    return t("{n} mm", { n: length.mm.toFixed(1) });
  }

  /** Say which scale holds under the pointer. */
  point(clientX, clientY) {
    const scale = this.root.querySelector(".pane-scale");
    if (!this.picture || !this.facts) {
      scale.textContent = "";
      return;
    }
    const { x, y } = this.toFrame(clientX, clientY);
    const region = regionAt(this.facts.regions, x, y);
    if (!region?.mm_per_pixel_x) scale.textContent = t("no scale here: lengths in pixels");
    else if (Math.abs(region.mm_per_pixel_x - region.mm_per_pixel_y) < 1e-6) scale.textContent = t("{x} mm a pixel", { x: region.mm_per_pixel_x.toFixed(3) });
    else scale.textContent = t("{x} mm a pixel across, {y} down", { x: region.mm_per_pixel_x.toFixed(3), y: region.mm_per_pixel_y.toFixed(3) });
  }

  // -- drawing -----------------------------------------------------------------------------------------------------

  resize() {
    const ratio = globalThis.devicePixelRatio || 1;
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width === width && this.canvas.height === height) return;
    this.canvas.width = width;
    this.canvas.height = height;
    this.draw();
  }

  draw() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.paint();
    });
  }

  paint() {
    const { context, canvas, picture } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.globalAlpha = 1;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!picture) return;
    const { scale, dx, dy } = this.transform();
    context.setTransform(scale, 0, 0, scale, dx, dy);
    context.imageSmoothingEnabled = scale < 4; // from there on pixels are shown as they are
    drawGrey(context, picture, this.brightness, this.contrast);
    if (this.map && this.facts) {
      const [top, left, bottom, right] = this.facts.area;
      context.globalAlpha = this.opacity;
      context.imageSmoothingEnabled = true;
      context.drawImage(this.map, left, top, right - left, bottom - top);
      context.globalAlpha = 1;
    }
    const thin = (globalThis.devicePixelRatio || 1) / scale;
    if (this.showArea && this.facts) drawRegions(context, this.facts, thin);
    for (const line of this.drawn ? [...this.linesHere, this.drawn] : this.linesHere) {
      const length = this.measure(line);
      drawLine(context, line, this.words(length), { refused: length.reason === "regions", thin });
    }
  }
}
