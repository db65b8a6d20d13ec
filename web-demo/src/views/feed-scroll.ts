// The scrolling of the list of conversations: decides which rows are drawn, keeps in place what is read or pointed at
// while the list is sorted anew, and moves the focus from row to row, also to those that are not drawn.
import type { Stretch } from "@hiloop/sdk/chat";
import { type ListRow, orderOf, ROW_PX, stretchesOf } from "./feed-rows";
import { ListWindow, type Stretch as View } from "./list-window";
import type { Range } from "./row-window";
import { noteShift } from "./steady-rows";

/** So near to its start the list is at its start. */
const NEAR_TOP = 4;

/** A row in view: how far below the upper edge its top was, and in which state of its own. */
interface Seen {
  key: string;
  offset: number;
  order: string;
}

export class FeedScroll {
  /** Conversations that have asked something since the start of the list was left. */
  readonly asked = new Set<string>();
  /** New rows at the start are followed. */
  atTop = true;
  private box: HTMLElement | null = null;
  private inner: HTMLElement | null = null;
  private readonly list = new ListWindow<ListRow>(ROW_PX);
  /** As they were drawn last. */
  private ranges: readonly Range[] = [];
  private seen: Seen[] = [];
  /** What is to stay where it is with the next drawing. */
  private anchor: Seen | null = null;
  /** What is in view, from the top of the first row. */
  private top = 0;
  private height = 0;
  private width = 0;
  /** Where the list was scrolled to when this was last looked at. */
  private scrolledTo = 0;
  private pointed: string | null = null;
  private target: string | number | null = null;

  constructor(private readonly redraw: () => void) {}

  /** Follows an element until the returned function is called. */
  attach(box: HTMLElement, inner: HTMLElement): () => void {
    [this.box, this.inner] = [box, inner];
    const resize = new ResizeObserver(() => this.resized());
    resize.observe(box);
    resize.observe(inner);
    // Rows redraw parts of themselves. Put right before the next frame looks, or `steady-rows.ts` would see rows move.
    const changes = new MutationObserver(() => this.anchor && this.place());
    changes.observe(inner, { childList: true, subtree: true, characterData: true });
    const point = ({ target }: Event): void => void (this.pointed = keyOf(target));
    const leave = (): void => this.unpointed();
    const drop = (): void => void (this.target = null);
    // The page itself scrolls where it is low.
    const scrolled = (event: Event): void => {
      if (event.target === box || event.target === document) this.scrolled();
    };
    box.addEventListener("pointerover", point);
    box.addEventListener("pointerleave", leave);
    document.addEventListener("pointerdown", drop, true);
    document.addEventListener("scroll", scrolled, { capture: true, passive: true });
    return () => {
      resize.disconnect();
      changes.disconnect();
      box.removeEventListener("pointerover", point);
      box.removeEventListener("pointerleave", leave);
      document.removeEventListener("pointerdown", drop, true);
      document.removeEventListener("scroll", scrolled, { capture: true });
    };
  }

  /** The rows to draw, and remembers them; `stays` is always one of them. To be called before the page is changed. */
  plan(rows: readonly ListRow[], stays: string | null): readonly Range[] {
    this.takeScrolling();
    const { list, target } = this;
    if (rows !== list.rows || !this.isCovered()) this.see();
    if (rows !== list.rows) this.noteAsked(rows);
    list.setRows(rows);
    this.aim();
    for (const key of [focusedKey(this.box), target, stays]) if (typeof key === "string") list.use(key);
    this.ranges = list.plan(this.view, false);
    return this.ranges;
  }

  /** The height of rows that are not drawn. */
  spaceOf(range: Range): number {
    return this.list.layout.height(range);
  }

  /** After each drawing, before it is seen. */
  drawn(): void {
    this.measure();
    this.place();
    this.reach();
    this.look();
    if (!this.isCovered()) this.redraw();
  }

  /** The places of the list that are drawn, or near to what is in view. */
  stretches(): Stretch[] {
    const { list, top, height } = this;
    const near = { top: top - height, bottom: top + 2 * height };
    return stretchesOf(list.rows, this.window, (i) => list.layout.topOf(i), near);
  }

  /** Whether the end of the list is in view, or near. */
  get nearEnd(): boolean {
    return this.list.layout.total < this.top + 2 * this.height;
  }

  /** With another list than before, from its start. */
  restart(): void {
    this.atTop = true;
    this.asked.clear();
    this.target = this.anchor = null;
    this.list.setRows([]);
  }

  toTop(): void {
    this.atTop = true;
    this.asked.clear();
    this.anchor = null;
    this.scrollBy(-this.topNow());
    const first = this.list.rows.find(({ kind }) => kind === "conversation");
    if (first) this.focus(first.key);
  }

  /** The rows that can have the focus, and those that are not loaded, in order. */
  get stops(): readonly ListRow[] {
    return this.list.rows.filter(({ kind }) => kind !== "heading");
  }

  /** Moves the focus to a row, wherever it stands; a number is a place in the whole list. */
  focus(target: string | number): void {
    this.target = target;
    if (typeof target === "string" && this.rowOf(target)) this.reach();
    else this.redraw();
  }

  /** Moves the focus behind the last row that is drawn. */
  further(): void {
    const next = this.list.rows.slice(this.window.to).find(({ kind }) => kind !== "heading");
    if (next) this.focus(next.kind === "gap" ? next.place : next.key);
  }

  get hasFurther(): boolean {
    return this.window.to < this.list.rows.length;
  }

  /** The rows that are drawn around what is in view. */
  private get window(): Range {
    const { list, top, height } = this;
    const middle = list.layout.at(top + height / 2);
    return this.ranges.find(({ from, to }) => from <= middle && middle < to) ?? this.ranges.at(-1) ?? { from: 0, to: 0 };
  }

  private get view(): View {
    return { top: this.top, bottom: this.top + (this.box ? this.height : window.innerHeight) };
  }

  /** New rows may come in above. */
  private get isFree(): boolean {
    return this.atTop && this.pointed === null;
  }

  private get scroller(): Element | null {
    const { box } = this;
    return box && getComputedStyle(box).overflowY === "visible" ? document.scrollingElement : box;
  }

  /** What is in view now. */
  private look(): void {
    const { box, inner } = this;
    if (!box || !inner) return;
    const [frame, all] = [box.getBoundingClientRect(), inner.getBoundingClientRect()];
    const [from, to] = [Math.max(0, frame.top), Math.min(window.innerHeight, frame.bottom)];
    this.top = from - all.top;
    this.height = Math.max(0, to - from);
    this.scrolledTo = this.scroller?.scrollTop ?? 0;
  }

  /** Takes note of the rows in view, those that are pointed at or have the focus first. */
  private see(): void {
    this.look();
    this.seen = [];
    this.anchor = null;
    const { box, inner, height } = this;
    if (!box || !inner || height === 0) return;
    const edge = Math.max(0, box.getBoundingClientRect().top);
    for (const element of this.drawnRows()) {
      const { top, bottom } = element.getBoundingClientRect();
      const row = this.list.row(element.dataset.row as string);
      if (row?.kind === "conversation" && bottom > edge && top < edge + height) this.seen.push({ key: row.key, offset: top - edge, order: orderOf(row) });
    }
    const focused = focusedKey(box);
    const rank = ({ key }: Seen): number => (key === this.pointed ? 0 : key === focused ? 1 : 2);
    this.seen.sort((a, b) => rank(a) - rank(b));
  }

  /** Finds what stays in place among other rows than before: what has not moved itself. */
  private aim(): void {
    const { seen } = this;
    this.seen = [];
    if (typeof this.target === "number") this.target = this.list.rows.find((row) => row.kind === "conversation" && row.place === this.target)?.key ?? this.target;
    if (seen.length > 0 && !this.isFree) {
      this.anchor = seen.find(({ key, order }) => order === orderOf(this.list.row(key) ?? NONE)) ?? null;
      const i = this.list.indexOf(this.anchor?.key ?? "");
      if (this.anchor && i !== undefined) this.top = this.list.layout.topOf(i) - this.anchor.offset;
    }
    const y = this.targetTop();
    if (y === null) return;
    this.anchor = null;
    this.top = Math.max(0, y - this.height / 2);
  }

  /** Where the row is that is to have the focus, if it is not drawn. */
  private targetTop(): number | null {
    const { target, list } = this;
    if (target === null || (typeof target === "string" && this.rowOf(target))) return null;
    if (typeof target === "string") return list.layout.topOf(list.indexOf(target) ?? 0);
    const i = list.rows.findIndex((row) => row.kind === "gap" && target >= row.place && target < row.place + row.count);
    const gap = list.rows[i];
    return gap?.kind === "gap" ? list.layout.topOf(i) + ((target - gap.place) / gap.count) * gap.height : null;
  }

  private isCovered(): boolean {
    return this.height === 0 || this.list.isCovered(() => this.view);
  }

  private measure(): void {
    for (const row of this.drawnRows()) {
      const height = row.getBoundingClientRect().height;
      if (height > 0) this.list.measured(row.dataset.row as string, height);
    }
  }

  private place(): void {
    const { anchor, box } = this;
    const row = anchor && this.rowOf(anchor.key);
    if (row && box) this.scrollBy(row.getBoundingClientRect().top - Math.max(0, box.getBoundingClientRect().top) - anchor.offset);
    else if (this.target !== null) this.scrollBy(this.top - this.topNow());
    else if (this.isFree && this.topNow() > NEAR_TOP) this.scrollBy(-this.topNow());
  }

  private topNow(): number {
    const { box, inner } = this;
    return box && inner ? Math.max(0, box.getBoundingClientRect().top) - inner.getBoundingClientRect().top : 0;
  }

  private scrollBy(distance: number): void {
    const { scroller, box } = this;
    if (!scroller || !box || Math.abs(distance) < 0.5) return;
    const before = scroller.scrollTop;
    scroller.scrollTop += distance;
    this.scrolledTo = scroller.scrollTop;
    if (scroller === box) noteShift(box, scroller.scrollTop - before);
  }

  /** The row that is to have the focus is drawn now. */
  private reach(): void {
    const row = typeof this.target === "string" ? this.rowOf(this.target) : null;
    if (!row) return;
    this.target = null;
    row.querySelector<HTMLElement>("a")?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    this.scrolled();
  }

  private scrolled(): void {
    if (this.takeScrolling() && this.atTop && this.asked.size > 0) {
      this.asked.clear();
      return this.redraw();
    }
    if (!this.isCovered()) this.redraw();
  }

  /** Whether the person has scrolled. The event comes later: what is drawn before it must not undo the scrolling. */
  private takeScrolling(): boolean {
    const { box, scroller } = this;
    if (!box?.clientHeight || !scroller || Math.abs(scroller.scrollTop - this.scrolledTo) < 1) return false;
    this.target = null;
    this.look();
    this.atTop = this.top <= NEAR_TOP;
    this.see();
    this.anchor = this.isFree ? null : (this.seen[0] ?? null);
    return true;
  }

  /** The pointer has left the list: what it held in place need not stay. */
  private unpointed(): void {
    this.pointed = null;
    if (!this.atTop || this.topNow() <= 0) return;
    this.asked.clear();
    this.anchor = null;
    this.redraw();
  }

  private resized(): void {
    const width = this.inner?.clientWidth ?? 0;
    if (width !== this.width) this.list.forgetHeights();
    this.width = width;
    this.takeScrolling();
    this.measure();
    this.place();
    this.look();
    if (!this.isCovered()) this.redraw();
  }

  private noteAsked(rows: readonly ListRow[]): void {
    const waited = new Set(this.list.rows.flatMap(({ key, group }) => (group === "waiting" ? [key] : [])));
    const waiting = rows.flatMap((row) => (row.kind === "conversation" && row.group === "waiting" ? [row] : []));
    const newest = this.list.rows.reduce((last, row) => (row.kind === "conversation" && row.item.session.updatedAt > last ? row.item.session.updatedAt : last), "");
    if (!this.isFree && newest !== "") for (const row of waiting) if (!waited.has(row.key) && row.item.session.updatedAt > newest) this.asked.add(row.key);
    const keys = new Set(waiting.map(({ key }) => key));
    for (const key of this.asked) if (!keys.has(key)) this.asked.delete(key);
  }

  private drawnRows(): HTMLElement[] {
    return [...(this.inner?.querySelectorAll<HTMLElement>("[data-row]") ?? [])];
  }

  private rowOf(key: string): HTMLElement | null {
    return this.inner?.querySelector<HTMLElement>(`[data-row="${CSS.escape(key)}"]`) ?? null;
  }
}

const NONE: ListRow = { kind: "heading", key: "", group: "others", title: "" };

function keyOf(target: EventTarget | null): string | null {
  return (target instanceof Element ? target.closest<HTMLElement>("[data-row]")?.dataset.row : null) ?? null;
}

function focusedKey(box: HTMLElement | null): string | null {
  return box?.contains(document.activeElement) ? keyOf(document.activeElement) : null;
}
