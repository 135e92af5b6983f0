// What is drawn over an image: the B-mode area with the regions of its scale, and lines with their lengths.

const LINE = "#ffd24a";
const REFUSED = "#ff8a80";

/** `thin` is a width of one screen pixel in the pixels of the frame, which `context` is scaled to. */
export function drawRegions(context, { area: [top, left, bottom, right], regions }, thin) {
  context.lineWidth = 1.5 * thin;
  context.strokeStyle = "#6fc3d3";
  context.setLineDash([]);
  context.strokeRect(left, top, right - left, bottom - top);
  context.strokeStyle = LINE;
  context.setLineDash([6 * thin, 4 * thin]);
  for (const one of regions) context.strokeRect(one.left, one.top, one.right - one.left, one.bottom - one.top);
  context.setLineDash([]);
}

/** A line from `a` to `b` with a cross at each end and its length in words; one that has no length is red. */
export function drawLine(context, { a, b }, text, { refused, thin }) {
  const colour = refused ? REFUSED : LINE;
  context.strokeStyle = "rgb(0 0 0 / 70%)";
  context.lineWidth = 4 * thin;
  context.beginPath();
  context.moveTo(a.x, a.y);
  context.lineTo(b.x, b.y);
  context.stroke();
  context.strokeStyle = colour;
  context.lineWidth = 1.75 * thin;
  context.stroke();
  for (const end of [a, b]) {
    context.beginPath();
    context.moveTo(end.x - 5 * thin, end.y);
    context.lineTo(end.x + 5 * thin, end.y);
    context.moveTo(end.x, end.y - 5 * thin);
    context.lineTo(end.x, end.y + 5 * thin);
    context.stroke();
  }
  context.font = `600 ${14 * thin}px system-ui, sans-serif`;
  const width = context.measureText(text).width;
  const x = Math.max(a.x, b.x) + 8 * thin;
  const y = (a.y + b.y) / 2;
  context.fillStyle = "rgb(0 0 0 / 75%)";
  context.fillRect(x - 4 * thin, y - 14 * thin, width + 8 * thin, 20 * thin);
  context.fillStyle = colour;
  context.fillText(text, x, y + 1 * thin);
}
