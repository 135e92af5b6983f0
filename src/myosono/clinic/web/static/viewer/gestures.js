// Pointer, wheel and two fingers on a pane. The tool decides what one finger or the main button does.

import { notify } from "../http.js";
import { t } from "../i18n.js";

/** Let a pane be handled; `tool()` is "pan", "window" or "measure"; `onActive` is told which pane was touched. */
export function handle(pane, { tool, onActive }) {
  const { canvas, root } = pane;
  const pointers = new Map();
  let doing = null;

  canvas.addEventListener("pointerdown", (event) => {
    onActive();
    if (!pane.picture) return;
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, event);
    if (pointers.size === 2) {
      if (doing === "measure") pane.drawn = null;
      doing = "pinch";
      return;
    }
    doing = event.button === 1 || event.button === 2 ? "pan" : tool();
    if (event.button === 2 && tool() === "pan") doing = "window";
    if (doing === "measure") pane.startLine(pane.toFrame(event.clientX, event.clientY));
    root.classList.add("dragging");
  });

  canvas.addEventListener("pointermove", (event) => {
    pane.point(event.clientX, event.clientY);
    const before = pointers.get(event.pointerId);
    if (!before || !pane.picture) return; // an arrow key may have asked for another image meanwhile
    const dx = event.clientX - before.clientX;
    const dy = event.clientY - before.clientY;
    if (doing === "pinch") pinch(event);
    else if (doing === "pan") pane.panBy(dx, dy);
    else if (doing === "window") pane.windowBy(dx, dy);
    else if (doing === "measure") pane.moveLine(pane.toFrame(event.clientX, event.clientY));
    pointers.set(event.pointerId, event);
  });

  function pinch(event) {
    const other = [...pointers.values()].find((one) => one.pointerId !== event.pointerId);
    const before = pointers.get(event.pointerId);
    if (!other) return;
    const distance = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    const middle = { x: (event.clientX + other.clientX) / 2, y: (event.clientY + other.clientY) / 2 };
    pane.panBy((event.clientX - before.clientX) / 2, (event.clientY - before.clientY) / 2);
    if (distance(before) > 0) pane.zoomAt(distance(event) / distance(before), middle.x, middle.y);
  }

  const end = (event) => {
    pointers.delete(event.pointerId);
    if (doing === "measure" && event.type === "pointerup") {
      const length = pane.endLine();
      if (length?.reason === "regions") {
        notify(t("The line crosses regions of different scale, or leaves them: such a line has no length. Draw it within one region."), "warn");
      }
    }
    if (event.type === "pointercancel") pane.drawn = null;
    if (!pointers.size) {
      doing = null;
      root.classList.remove("dragging");
    }
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
  canvas.addEventListener("pointerleave", () => (root.querySelector(".pane-scale").textContent = ""));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("dblclick", () => tool() !== "measure" && pane.fit());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      onActive();
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 33 : 1;
      pane.zoomAt(Math.exp((-event.deltaY * lines) / 500), event.clientX, event.clientY);
    },
    { passive: false },
  );
}
