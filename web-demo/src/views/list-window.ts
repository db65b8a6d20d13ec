// Which rows of a long list are drawn, from one drawing to the next: those around what is in view, unchanged while they
// suffice, and those that the person used. It knows rows by key and height, and nothing of the page.
import { covers, type Item, Layout, type Range, RowHeights, withRows } from "./row-window";

const MIN_AROUND = 500;
/** Rows that stay although they are out of view, because the person used them: they hold the focus, or what was unfolded. */
const MAX_USED = 12;

/** A part of a list, in pixels from the top of its first row. */
export interface Stretch {
  top: number;
  bottom: number;
}

export class ListWindow<R extends Item> {
  rows: readonly R[] = [];
  layout: Layout;
  private index: ReadonlyMap<string, number> = new Map();
  private readonly heights: RowHeights;
  private layoutOf = -1;
  /** The first and last row that were drawn last. */
  private ends: { first: string; last: string } | null = null;
  private used: string[] = [];

  /** `estimate`: the height of a row that was never drawn. */
  constructor(estimate: number) {
    this.heights = new RowHeights(estimate);
    this.layout = new Layout([], this.heights);
  }

  /** To be called with each drawing; the same array means the same rows. */
  setRows(rows: readonly R[]): void {
    if (rows !== this.rows) {
      this.rows = rows;
      this.index = new Map(rows.map(({ key }, i) => [key, i]));
      this.heights.keepOnly(this.index);
      this.layoutOf = -1;
    }
    this.arrange();
  }

  indexOf(key: string): number | undefined {
    return this.index.get(key);
  }

  row(key: string): R | undefined {
    return this.rows[this.index.get(key) ?? -1];
  }

  heightOf(row: R): number {
    return this.heights.of(row);
  }

  /** The height of a row as it was drawn. */
  measured(key: string, height: number): void {
    this.heights.measured(key, height);
  }

  /** The width has changed: every height is unknown again. */
  forgetHeights(): void {
    this.heights.clear();
  }

  /** The row stays drawn from now on, with the last few others that were used. */
  use(key: string): void {
    this.used = [key, ...this.used.filter((one) => one !== key)].slice(0, MAX_USED);
  }

  usedRows(): R[] {
    return this.used.flatMap((key) => this.row(key) ?? []);
  }

  /**
   * The rows to draw, in order. `keepsAll`: every row of the last drawing stays. `headingOf`: the row that is the heading
   * of another one, which is drawn as well.
   */
  plan(view: Stretch, keepsAll: boolean, headingOf: (index: number) => number = (index) => index): Range[] {
    const range = this.choose(view, keepsAll);
    const [first, last] = [this.rows[range.from], this.rows[range.to - 1]];
    this.ends = first && last ? { first: first.key, last: last.key } : null;
    if (this.rows.length === 0) return [];
    const used = this.used.flatMap((key) => this.index.get(key) ?? []);
    const headings = withRows(range, used).map(({ from }) => headingOf(from));
    return withRows(range, [...used, ...headings]);
  }

  /** Whether what is drawn suffices for what is in view. */
  isCovered(view: () => Stretch): boolean {
    this.arrange();
    const present = this.present();
    return this.rows.length === 0 || (present !== null && covers(present, this.needed(view())));
  }

  private arrange(): void {
    if (this.layoutOf === this.heights.version) return;
    this.layout = new Layout(this.rows, this.heights);
    this.layoutOf = this.heights.version;
  }

  private choose(view: Stretch, keepsAll: boolean): Range {
    const { layout } = this;
    const around = aroundOf(view);
    const present = this.present();
    const isFit = present !== null && covers(present, this.needed(view)) && layout.height(present) < 6 * around;
    const range = isFit ? present : layout.between(view.top - around, view.bottom + around);
    if (!present || !keepsAll) return range;
    return { from: Math.min(range.from, present.from), to: Math.max(range.to, present.to) };
  }

  private needed(view: Stretch): Range {
    const around = aroundOf(view);
    return this.layout.between(view.top - around / 2, view.bottom + around / 2);
  }

  /** The window of the last drawing, among the rows of now. */
  private present(): Range | null {
    const [from, last] = [this.index.get(this.ends?.first ?? ""), this.index.get(this.ends?.last ?? "")];
    return from === undefined || last === undefined || from > last ? null : { from, to: last + 1 };
  }
}

/** How much is drawn above and below of what is in view; half of it has to be there at any time. */
function aroundOf({ top, bottom }: Stretch): number {
  return Math.max(bottom - top, MIN_AROUND);
}
