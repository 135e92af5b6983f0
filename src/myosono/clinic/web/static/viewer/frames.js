// Frames and maps as bitmaps: fetched once, the nearest kept, the next ones asked for ahead of need.

import { detailOf } from "../http.js";
import { t } from "../i18n.js";

const KEPT_BYTES = 400 * 1024 * 1024;
const AHEAD = 12;
const kept = new Map();
let bytes = 0;

const sizeOf = (bitmap) => bitmap.width * bitmap.height * 4;

async function load(address) {
  const answer = await fetch(address).catch(() => {
    throw new Error(t("The clinic does not answer. Check that it runs."));
  });
  if (answer.redirected || answer.status === 401) {
    location.reload();
    throw new Error(t("Please sign in"));
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => null);
    throw new Error(detailOf(said) ?? t("The clinic answered {status}.", answer));
  }
  return createImageBitmap(await answer.blob());
}

/** The bitmap of an address; asked for once, however often it is wanted. */
export function bitmap(address) {
  const known = kept.get(address);
  if (known) {
    kept.delete(address);
    kept.set(address, known);
    return known.promise;
  }
  const entry = { size: 0, promise: load(address) };
  kept.set(address, entry);
  entry.promise.then(
    (made) => {
      entry.size = sizeOf(made);
      bytes += entry.size;
      forget(address);
    },
    () => kept.delete(address),
  );
  return entry.promise;
}

/** Drop the longest unused beyond the limit. They are not closed: one may still be on a canvas. */
function forget(current) {
  for (const [address, entry] of kept) {
    if (bytes <= KEPT_BYTES) return;
    if (address === current || !entry.size) continue;
    bytes -= entry.size;
    kept.delete(address);
  }
}

export const frameAddress = (image, frame) => `/images/${image}/frames/${frame}.png`;
export const mapAddress = (image, frame, layer) => `/images/${image}/frames/${frame}/map.png?layer=${encodeURIComponent(layer)}`;

/** Ask for the frames that a cine loop shows next. */
export function ahead(image, frame, count) {
  for (let step = 1; step <= Math.min(AHEAD, count - 1); step += 1) {
    bitmap(frameAddress(image, (frame + step) % count)).catch(() => {});
  }
}
