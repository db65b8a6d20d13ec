// The value axis: round steps over the range of the values, and places on it.

export interface Scale {
  low: number;
  high: number;
  ticks: number[];
}

const STEPS = 4;

/** From a multiple of the step at or below `low` to one at or above `high`; never empty. */
export function scaleOf(low: number, high: number): Scale {
  if (low === high) {
    // One value alone: the axis reaches to zero, or around it.
    if (low === 0) return scaleOf(0, 1);
    return scaleOf(Math.min(0, low), Math.max(0, low));
  }
  const step = roundStep((high - low) / STEPS);
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  // Beyond the precision of numbers, steps don't move the value.
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || last - first > 3 * STEPS) return { low, high, ticks: [low, high] };
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => clean((first + i) * step));
  return { low: first * step, high: last * step, ticks };
}

/** 1, 2 or 5 times a power of ten, at or above `size`. */
function roundStep(size: number): number {
  const power = 10 ** Math.floor(Math.log10(size));
  const factor = [1, 2, 5, 10].find((one) => one * power >= size * 0.999) ?? 10;
  return factor * power;
}

/** Without the digits that binary fractions add. */
function clean(value: number): number {
  return Number(value.toPrecision(12));
}

/** Where a value is: 0 at the low end, 1 at the high one. */
export function placeOf({ low, high }: Scale, value: number): number {
  return (value - low) / (high - low);
}

/** A tick in few characters: 1,200 or 1.2M. */
export function tickLabel(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return value.toExponential(1);
  const options = size >= 1e5 ? ({ notation: "compact", maximumFractionDigits: 2 } as const) : { maximumFractionDigits: 5 };
  return value.toLocaleString(undefined, options);
}
