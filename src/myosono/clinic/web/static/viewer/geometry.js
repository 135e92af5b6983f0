// Lengths on a screen whose regions can differ in scale (DICOM PS3.3 C.8.5.5). No drawing here.

/** The region that a point lies in: the smallest, where regions overlap. Points are in pixels of the frame. */
export function regionAt(regions, x, y) {
  const inside = regions.filter((one) => x >= one.left && x < one.right && y >= one.top && y < one.bottom);
  const size = (one) => (one.right - one.left) * (one.bottom - one.top);
  return inside.sort((a, b) => size(a) - size(b))[0] ?? null;
}

const scaled = (region) => region !== null && region.mm_per_pixel_x > 0 && region.mm_per_pixel_y > 0;

const near = (a, b) => Math.abs(a - b) <= 1e-4 * Math.max(a, b);
const sameScale = (a, b) => near(a.mm_per_pixel_x, b.mm_per_pixel_x) && near(a.mm_per_pixel_y, b.mm_per_pixel_y);

/**
 * Length of a line from a to b ({x, y}, pixels of the frame).
 *
 * Returns {mm, pixels, reason}: mm is null where no length can be told, and reason says why:
 * "no-scale" (no region with a scale lies under both ends, the length is in pixels) or "regions" (the line crosses
 * regions of different scale, or leaves them: it has no length at all, so pixels is null too).
 */
export function lengthOf(regions, a, b) {
  const pixels = Math.hypot(b.x - a.x, b.y - a.y);
  const crossed = regionsAlong(regions, a, b);
  const known = crossed.filter(scaled);
  if (!known.length) return { mm: null, pixels, reason: "no-scale" };
  const first = known[0];
  if (known.length < crossed.length || known.some((one) => !sameScale(one, first))) {
    return { mm: null, pixels: null, reason: "regions" };
  }
  const mm = Math.hypot((b.x - a.x) * first.mm_per_pixel_x, (b.y - a.y) * first.mm_per_pixel_y);
  return { mm, pixels, reason: null };
}

/** Every region that a line touches, null for outside: looked at wherever an edge of a region may be crossed. */
function regionsAlong(regions, a, b) {
  const cuts = new Set([0, 1]);
  const add = (value, from, to) => {
    const share = (value - from) / (to - from);
    if (share > 0 && share < 1) cuts.add(share);
  };
  for (const one of regions) {
    for (const x of [one.left, one.right]) add(x, a.x, b.x);
    for (const y of [one.top, one.bottom]) add(y, a.y, b.y);
  }
  const order = [...cuts].sort((one, other) => one - other);
  const shares = order.flatMap((share, at) => (at + 1 < order.length ? [(share + order[at + 1]) / 2] : []));
  const found = new Set([0, ...shares, 1].map((share) => regionAt(regions, a.x + share * (b.x - a.x), a.y + share * (b.y - a.y))));
  return [...found];
}
