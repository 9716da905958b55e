const LEAST = 1e-6; // pixels

/**
 * Rectangles whose areas are the values, as square as they get, side by side in a box (Bruls, Huizing and van Wijk,
 * "Squarified treemaps", 2000).
 *
 * @template T
 * @param {T[]} items
 * @param {(item: T) => number} valueOf above 0
 * @param {{x: number, y: number, width: number, height: number}} box
 * @returns {{item: T, x: number, y: number, width: number, height: number}[]} the largest first
 */
export function treemap(items, valueOf, box) {
  const sorted = items.map((item) => ({ item, value: valueOf(item) })).sort((a, b) => b.value - a.value);
  let left = sorted.reduce((sum, { value }) => sum + value, 0);
  let { x, y, width, height } = box;
  const placed = [];
  for (let start = 0; start < sorted.length;) {
    const side = Math.min(width, height);
    const scale = (width * height) / left; // of values to areas
    const strip = takeStrip(sorted, start, side, scale);
    const thickness = (strip.sum * scale) / side;
    const upright = width >= height; // the strip stands at the left, else it lies at the top
    let along = upright ? y : x;
    for (const { item, value } of sorted.slice(start, strip.end)) {
      const length = (side * value) / strip.sum;
      if (upright) placed.push({ item, x, y: along, width: thickness, height: length });
      else placed.push({ item, x: along, y, width: length, height: thickness });
      along += length;
    }
    // What is left for the last ones may be less than nothing, by rounding.
    if (upright) [x, width] = [x + thickness, Math.max(LEAST, width - thickness)];
    else [y, height] = [y + thickness, Math.max(LEAST, height - thickness)];
    left -= strip.sum;
    start = strip.end;
  }
  return placed;
}

/** As many as make the least square of them squarer. */
function takeStrip(sorted, start, side, scale) {
  let sum = 0;
  let worst = Infinity;
  let end = start;
  for (; end < sorted.length; end++) {
    const next = sum + sorted[end].value;
    const thickness = (next * scale) / side;
    const longest = (sorted[start].value * scale) / thickness;
    const shortest = (sorted[end].value * scale) / thickness;
    const ratio = Math.max(longest / thickness, thickness / shortest);
    if (ratio > worst) break;
    [sum, worst] = [next, ratio];
  }
  return { sum, end };
}
