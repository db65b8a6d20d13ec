// Which rows of a long list are drawn: those around what is in view, and a few others that stay; space stands for the rest.
// An own window instead of a library: the rows stay in the normal flow, so that the browser lays them out and rows of any
// height need no absolute places, and whatever is above what is read may change without moving it. @tanstack/virtual-core
// is 8.5 KB compressed and virtua 6.5 KB, for an initial script that has 4 KB left; neither knows gaps of unread events.
import { firstIndex } from "@hiloop/sdk/chat";

export interface Item {
  key: string;
  /** Of a row whose height is set and not measured. */
  height?: number;
}

/** Rows by index, `to` excluded. */
export interface Range {
  from: number;
  to: number;
}

/** The heights of rows that were drawn once. */
export class RowHeights {
  version = 0;
  private readonly known = new Map<string, number>();

  constructor(private readonly estimate: number) {}

  of({ key, height }: Item): number {
    return height ?? this.known.get(key) ?? this.estimate;
  }

  measured(key: string, height: number): void {
    if (this.known.get(key) === height) return;
    this.known.set(key, height);
    this.version += 1;
  }

  /** The width has changed. */
  clear(): void {
    this.known.clear();
    this.version += 1;
  }

  /** Forgets rows that are no longer in the list, once they are many. */
  keepOnly(keys: ReadonlyMap<string, unknown>): void {
    if (this.known.size < 2 * keys.size + 500) return;
    for (const key of this.known.keys()) if (!keys.has(key)) this.known.delete(key);
  }
}

/** Where the rows of a list are, from the top of the first one. */
export class Layout {
  private readonly tops: Float64Array;

  constructor(items: readonly Item[], heights: RowHeights) {
    this.tops = new Float64Array(items.length + 1);
    items.forEach((item, i) => (this.tops[i + 1] = (this.tops[i] as number) + heights.of(item)));
  }

  get count(): number {
    return this.tops.length - 1;
  }

  get total(): number {
    return this.topOf(this.count);
  }

  topOf(index: number): number {
    return this.tops[index] ?? 0;
  }

  /** The row at a height; the first or last one beyond the ends, -1 without rows. */
  at(y: number): number {
    return Math.min(firstIndex(this.count, (i) => this.topOf(i + 1) > y), this.count - 1);
  }

  /** The rows that touch a stretch. */
  between(top: number, bottom: number): Range {
    if (this.count === 0) return { from: 0, to: 0 };
    return { from: this.at(top), to: this.at(bottom) + 1 };
  }

  height({ from, to }: Range): number {
    return this.topOf(to) - this.topOf(from);
  }
}

export function covers(outer: Range, inner: Range): boolean {
  return outer.from <= inner.from && outer.to >= inner.to;
}

/** A window and single rows outside of it, in order and apart from each other. */
export function withRows({ from, to }: Range, others: readonly number[]): Range[] {
  const single = [...new Set(others)].filter((i) => i < from || i >= to).map((i) => ({ from: i, to: i + 1 }));
  const joined: Range[] = [];
  for (const range of [...single, { from, to }].sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && range.from <= last.to) last.to = Math.max(last.to, range.to);
    else joined.push({ ...range });
  }
  return joined;
}
