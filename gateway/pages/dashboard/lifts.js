// Where lifts lie on an axis: half and double are equally far from "as much as the others".

const WIDEST = 16;

// The axis for all of them, as the factor at its ends: 2, 4, 8 or 16; the ranges may be cut off.
export function widthOf(lifts) {
  const ends = lifts.flatMap(({ low, high }) => [high, 1 / low]);
  const factor = Math.max(2, ...ends.filter(Number.isFinite));
  return Math.min(WIDEST, 2 ** Math.ceil(Math.log2(factor) - 1e-9));
}

// How far along the axis a lift lies, from 0 to 100.
export function placeOf(lift, width) {
  const place = 50 + (50 * Math.log(lift)) / Math.log(width);
  return Math.min(100, Math.max(0, place));
}

// The lifts that are marked on the axis, with their words.
export function marksOf(width) {
  const half = Math.sqrt(width);
  return [1 / width, ...(width > 2 ? [1 / half] : []), 1, ...(width > 2 ? [half] : []), width]
    .map((lift) => ({ lift, text: lift < 1 ? `1⁄${rounded(1 / lift)}` : `×${rounded(lift)}` }));
}

function rounded(value) {
  return Math.round(value * 10) / 10;
}
