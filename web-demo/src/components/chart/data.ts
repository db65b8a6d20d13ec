// The series of a chart, read from whatever an agent sent: of any lengths, with gaps where a value is no number.
import { list, number, text } from "../values";

export interface Series {
  name: string;
  /** One for each label; null is a gap. */
  values: (number | null)[];
}

export interface ChartData {
  type: "bar" | "line";
  labels: string[];
  series: Series[];
}

/** More points or series than anybody could tell apart are left to the table. */
export const DRAWN_POINTS = 200;
export const DRAWN_SERIES = 8;

/** Null where there is nothing that could be a chart. */
export function chartOf(data: Record<string, unknown>): ChartData | null {
  const type = text(data.type);
  if (type !== "bar" && type !== "line") return null;
  const given = Array.isArray(data.values) ? [{ name: "", values: data.values }] : list(data.series);
  const series = given.flatMap(({ name, values }) => (Array.isArray(values) ? [{ name: text(name), values: values.map(valueOf) }] : []));
  const labels = Array.isArray(data.labels) ? data.labels.map(text) : [];
  const count = series.reduce((most, { values }) => Math.max(most, values.length), labels.length);
  if (series.length === 0 || count === 0) return null;
  const all = Array.from({ length: count }, (_, i) => i);
  return {
    type,
    labels: all.map((i) => labels[i] ?? String(i + 1)),
    series: series.map(({ name, values }, i) => ({
      name: name || (series.length > 1 ? `Series ${i + 1}` : "Value"),
      values: all.map((at) => values[at] ?? null),
    })),
  };
}

/** A magnitude that can be drawn; sums and differences of such values stay finite. */
function valueOf(value: unknown): number | null {
  const parsed = number(value);
  return parsed !== null && Math.abs(parsed) <= 1e100 ? parsed : null;
}

export interface Drawn extends ChartData {
  /** Every how many points one is drawn. */
  step: number;
  hiddenSeries: number;
}

/** What of a chart is drawn: evenly spaced points of a long one. */
export function drawnOf({ type, labels, series }: ChartData): Drawn {
  const step = Math.ceil(labels.length / DRAWN_POINTS);
  const pick = <T>(values: readonly T[]): T[] => values.filter((_, i) => i % step === 0);
  const shown = series.slice(0, DRAWN_SERIES).map(({ name, values }) => ({ name, values: pick(values) }));
  return { type, labels: pick(labels), series: shown, step, hiddenSeries: series.length - shown.length };
}

/** What the picture shows, in a sentence. */
export function summaryOf({ type, labels, series }: ChartData): string {
  const values = series.flatMap((one) => one.values).filter((value) => value !== null);
  const what = `${type === "bar" ? "Bar" : "Line"} chart of ${series.map(({ name }) => name).slice(0, DRAWN_SERIES).join(", ")}`;
  if (values.length === 0) return `${what}, without values`;
  const [low, high] = rangeOf(values);
  const span = labels.length > 1 ? `, from ${labels[0]} to ${labels[labels.length - 1]}` : `, ${labels[0]}`;
  return `${what}${span}: lowest ${words(low)}, highest ${words(high)}`;
}

export function rangeOf(values: readonly number[]): [number, number] {
  return values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [values[0] ?? 0, values[0] ?? 0]);
}

export function words(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e15 || size < 1e-4)) return value.toExponential(2);
  return value.toLocaleString(undefined, { maximumFractionDigits: 6 });
}
