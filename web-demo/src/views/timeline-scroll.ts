// The scrolling of the timeline: stays at the end while one is there, keeps in place what is being read while something
// changes above it, decides which rows are drawn, and which of those that are not loaded are read.
import type { LiveSession, Message } from "@hiloop/sdk/chat";
import { focusArticle, isInSight, MARGIN } from "./jump";
import { covers, Layout, type Range, RowHeights, withRows } from "./row-window";
import type { Row } from "./timeline-rows";

const NEAR_END = 80;
/** How far from what is in view events are read. */
const NEAR_GAP = 600;
/** Events of one reading. */
const PAGE = 200;
/** A row that was never drawn. */
const ROW_PX = 72;
const MIN_AROUND = 500;
/** Rows that stay although they are out of view, because the person used them: they hold the focus, or what was unfolded. */
const MAX_USED = 12;
/** Without scrolling for so long, one has come to rest. */
const REST_MS = 150;

/** What stays in place: a row, and how far below the upper edge its top is. */
interface Anchor {
  key: string;
  seq: number;
  offset: number;
}

export interface OutOfSight {
  id: string;
  isAbove: boolean;
}

export class TimelineScroll {
  /** Whether new rows are followed. */
  atEnd = true;
  /** The last event when the end was left. */
  leftAt = 0;
  private box: HTMLElement | null = null;
  private inner: HTMLElement | null = null;
  private rows: readonly Row[] = [];
  private index: ReadonlyMap<string, number> = new Map();
  private readonly heights = new RowHeights(ROW_PX);
  private layout = new Layout([], this.heights);
  private layoutOf = -1;
  private anchor: Anchor | null = null;
  /** The first and last row of the window. */
  private window: { first: string; last: string } | null = null;
  private used: string[] = [];
  private target: { id: string; focus: boolean } | null = null;
  /** Where the box was scrolled to when this was last looked at. */
  private top = 0;
  private width = 0;
  /**
   * What the first space is off its right height. While one scrolls it takes up what changes above: to set the place of
   * the box would end the animation or momentum of the scrolling.
   */
  private drift = 0;
  /** As it was drawn last. */
  private startSpace = 0;
  /** Something was in view that is not loaded. */
  private isPassing = false;
  private rest: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly live: LiveSession,
    private readonly redraw: () => void,
  ) {}

  /** Follows an element until the returned function is called. */
  attach(box: HTMLElement, inner: HTMLElement): () => void {
    [this.box, this.inner] = [box, inner];
    const resize = new ResizeObserver(() => this.resized());
    resize.observe(box);
    resize.observe(inner);
    const use = ({ target }: Event): void => this.use(target);
    const events = ["focusin", "click", "input"];
    for (const type of events) inner.addEventListener(type, use);
    return () => {
      resize.disconnect();
      if (this.rest !== null) clearTimeout(this.rest);
      for (const type of events) inner.removeEventListener(type, use);
    };
  }

  /** The rows to draw, and remembers them. To be called with each drawing, before the page is changed. */
  plan(rows: readonly Row[]): Range[] {
    if (this.wasScrolled()) this.follow();
    if (rows !== this.rows) {
      this.rows = rows;
      this.index = new Map(rows.map(({ key }, i) => [key, i]));
      this.heights.keepOnly(this.index);
      this.layoutOf = -1;
    }
    this.arrange();
    this.aim();
    const range = this.chosen();
    const [first, last] = [rows[range.from], rows[range.to - 1]];
    this.window = first && last ? { first: first.key, last: last.key } : null;
    if (rows.length === 0) return [];
    const used = this.used.flatMap((key) => this.index.get(key) ?? []);
    // The day is the heading above the names of senders.
    const days = withRows(range, used).map(({ from }) => this.dayOf(from));
    return withRows(range, [...used, ...days]);
  }

  private dayOf(index: number): number {
    let day = index;
    while (day > 0 && this.rows[day]?.kind !== "day") day -= 1;
    return day;
  }

  /** The space that stands for rows that are not drawn. */
  spaceOf(range: Range): number {
    const height = Math.max(0, this.layout.height(range) + (range.from === 0 ? this.drift : 0));
    if (range.from === 0) this.startSpace = height;
    return height;
  }

  /** After each drawing, before it is seen. */
  drawn(): void {
    // It may have been changed since.
    const space = this.inner?.querySelector<HTMLElement>(":scope > [data-space]");
    if (space) space.style.height = `${this.startSpace}px`;
    this.measure();
    this.place();
    this.reach();
    this.hold();
    if (!this.isCovered()) this.redraw();
  }

  /** Whether the end was left or reached. */
  scrolled(): boolean {
    const before = this.atEnd;
    if (this.wasScrolled()) this.moved();
    this.follow();
    if (!this.isCovered()) this.redraw();
    return before !== this.atEnd;
  }

  toEnd(): void {
    this.atEnd = true;
    this.target = null;
    this.redraw();
  }

  /** Brings a message into view, and loads it where it is not here. */
  show(id: string, focus: boolean): void {
    this.target = { id, focus };
    if (this.live.timeline.message(id)) return this.redraw();
    void this.live.history.loadMessage(id).then((isHere) => {
      if (this.target?.id !== id) return;
      if (isHere) this.redraw();
      else this.target = null;
    });
  }

  /** Which of these messages to go to, and where it is; null while one is in sight. */
  outOfSight(messages: readonly Message[]): OutOfSight | null {
    const { box } = this;
    if (!box) return null;
    let next: OutOfSight | null = null;
    for (const { id, seq } of messages) {
      const article = this.articleOf(id);
      if (article && isInSight(article, box)) return null;
      next ??= { id, isAbove: article ? article.getBoundingClientRect().top < box.getBoundingClientRect().top : seq < this.seqInView() };
    }
    return next;
  }

  /** Reads what is not loaded near what is in view, and lets the rest be dropped. */
  load(): void {
    const { box, live, layout } = this;
    if (!box || live.phase !== "ready" || this.rows.length === 0) return;
    const { top, bottom } = this.view();
    const seqAt = (y: number): number => this.seqOf(layout.at(y), y);
    live.history.lookAt(Math.floor(seqAt(top)), Math.ceil(seqAt(bottom)), new Set(this.used.flatMap((key) => this.rows[this.index.get(key) ?? -1]?.seq ?? [])));
    // At the end of more than fits nobody has scrolled up: the box is just about to follow.
    if (live.history.loading || (this.atEnd && layout.total > bottom - top + NEAR_GAP)) return;
    const { from, to } = layout.between(top - NEAR_GAP, bottom + NEAR_GAP);
    const gaps = this.rows.slice(from, to).filter((row) => row.kind === "gap");
    const inView = (gap: Row): boolean => layout.topOf(this.index.get(gap.key) ?? 0) < bottom && layout.topOf((this.index.get(gap.key) ?? 0) + 1) > top;
    const gap = gaps.find(inView) ?? gaps[0];
    if (gap?.kind !== "gap") return;
    const i = this.index.get(gap.key) as number;
    const [near, far] = [this.seqOf(i, Math.max(top - NEAR_GAP, layout.topOf(i))), this.seqOf(i, Math.min(bottom + NEAR_GAP, layout.topOf(i + 1)))];
    const last = gap.seq + gap.count - 1;
    // Next to what is here, else around the middle of what is in view, unless one scrolls past it.
    if (far >= last - PAGE / 2) live.history.look(Math.max(gap.seq, last - PAGE + 1), last);
    else if (near <= gap.seq + PAGE / 2) live.history.look(gap.seq, gap.seq + PAGE - 1);
    else if (this.rest !== null) this.isPassing = true;
    else live.history.look(Math.round((near + far - PAGE) / 2), Math.round((near + far + PAGE) / 2) - 1);
  }

  private get height(): number {
    return this.box?.clientHeight || window.innerHeight;
  }

  /** The stretch of rows that is in view. */
  private view(): { top: number; bottom: number } {
    const { anchor, layout, height } = this;
    const i = anchor ? this.index.get(anchor.key) : undefined;
    const top = this.atEnd || !anchor || i === undefined ? layout.total - height : layout.topOf(i) - anchor.offset;
    return { top, bottom: top + height };
  }

  private arrange(): void {
    if (this.layoutOf === this.heights.version) return;
    this.layout = new Layout(this.rows, this.heights);
    this.layoutOf = this.heights.version;
  }

  /** Finds the anchor again among other rows than before, and moves it to what is to be shown. */
  private aim(): void {
    const { target, anchor } = this;
    const row = target ? this.rows.find((one) => one.kind === "message" && one.message.id === target.id) : undefined;
    if (row && !this.inner?.querySelector(`[data-row="${row.key}"]`)) {
      this.leaveEnd();
      this.anchor = { key: row.key, seq: row.seq, offset: Math.max(0, (this.height - this.heights.of(row)) / 2) };
      return;
    }
    if (!anchor) return;
    const known = this.rows[this.index.get(anchor.key) ?? -1];
    if (known && known.kind !== "gap") return;
    // What is in a gap, or gone, stands at its place in the order.
    const i = this.indexOf(anchor.seq);
    const at = this.rows[i];
    this.anchor = at ? { key: at.key, seq: anchor.seq, offset: at.kind === "gap" ? -(anchor.seq - at.seq) * unitOf(at) : 0 } : null;
  }

  /** The last row that is not after an event. */
  private indexOf(seq: number): number {
    let [from, to] = [0, this.rows.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.rows[middle] as Row).seq > seq) to = middle;
      else from = middle + 1;
    }
    return Math.max(0, from - 1);
  }

  private seqOf(index: number, y: number): number {
    const row = this.rows[index];
    if (row?.kind !== "gap") return row?.seq ?? 0;
    return row.seq + Math.max(0, Math.min(row.count - 1, (y - this.layout.topOf(index)) / unitOf(row)));
  }

  private seqInView(): number {
    const { top } = this.view();
    return this.seqOf(this.layout.at(top), top);
  }

  /** How much is drawn above and below of what is in view; half of it has to be there at any time. */
  private get around(): number {
    return Math.max(this.height, MIN_AROUND);
  }

  private needed(): Range {
    const { top, bottom } = this.view();
    return this.layout.between(top - this.around / 2, bottom + this.around / 2);
  }

  private chosen(): Range {
    const { layout, around } = this;
    const { top, bottom } = this.view();
    const present = this.present();
    const isFit = present !== null && covers(present, this.needed()) && layout.height(present) < 6 * around;
    let range = isFit ? present : layout.between(top - around, bottom + around);
    // What is selected stays whole.
    if (present && this.isSelecting()) range = { from: Math.min(range.from, present.from), to: Math.max(range.to, present.to) };
    return range;
  }

  /** The window of the last drawing, among the rows of now. */
  private present(): Range | null {
    const [from, last] = [this.index.get(this.window?.first ?? ""), this.index.get(this.window?.last ?? "")];
    return from === undefined || last === undefined || from > last ? null : { from, to: last + 1 };
  }

  private isCovered(): boolean {
    this.arrange();
    const present = this.present();
    return this.rows.length === 0 || (present !== null && covers(present, this.needed()));
  }

  private isSelecting(): boolean {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.inner?.contains(selection.anchorNode));
  }

  private use(target: EventTarget | null): void {
    const key = target instanceof Element ? target.closest<HTMLElement>("[data-row]")?.dataset.row : undefined;
    if (key !== undefined) this.used = [key, ...this.used.filter((one) => one !== key)].slice(0, MAX_USED);
  }

  private measure(): void {
    for (const row of this.drawnRows()) this.heights.measured(row.dataset.row as string, row.getBoundingClientRect().height);
  }

  private drawnRows(): HTMLElement[] {
    return [...(this.inner?.querySelectorAll<HTMLElement>(":scope > [data-row]") ?? [])];
  }

  /** Parts of messages are drawn later than the rest, and the window changes its size. */
  private resized(): void {
    const width = this.inner?.clientWidth ?? 0;
    if (width !== this.width) this.heights.clear();
    this.width = width;
    if (this.wasScrolled()) this.follow();
    this.measure();
    this.place();
    if (!this.isCovered()) this.redraw();
  }

  /** By somebody else than this. A box whose content has become shorter moves by itself. */
  private wasScrolled(): boolean {
    const { box } = this;
    if (!box || Math.abs(box.scrollTop - this.top) < 1) return false;
    return box.scrollTop > this.top || box.scrollHeight - box.scrollTop - box.clientHeight > 1;
  }

  /** Somebody scrolls. */
  private moved(): void {
    if (this.rest !== null) clearTimeout(this.rest);
    this.rest = setTimeout(() => {
      this.rest = null;
      if (this.drift === 0 && !this.isPassing) return;
      this.drift = 0;
      this.isPassing = false;
      this.redraw();
    }, REST_MS);
  }

  private follow(): void {
    const { box } = this;
    if (!box) return;
    // Growth below does not leave the end, unless the person scrolls up.
    const isUp = box.scrollTop < this.top;
    this.top = box.scrollTop;
    if (box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END) this.atEnd = true;
    else if (isUp) this.leaveEnd();
    this.hold();
  }

  private leaveEnd(): void {
    if (this.atEnd) this.leftAt = this.live.timeline.last;
    this.atEnd = false;
  }

  private place(): void {
    const { box, anchor } = this;
    if (!box) return;
    const row = anchor && this.rowOf(anchor.key);
    if (this.atEnd) {
      this.drift = 0;
      box.scrollTop = box.scrollHeight;
    } else if (row) {
      const moved = row.getBoundingClientRect().top - box.getBoundingClientRect().top - anchor.offset;
      if (Math.abs(moved) >= 0.5 && !this.absorb(moved)) box.scrollTop += moved;
    }
    this.top = box.scrollTop;
  }

  /** Takes up in the first space by how much the rows below it have moved, if one scrolls and it is high enough. */
  private absorb(moved: number): boolean {
    const space = this.inner?.querySelector<HTMLElement>(":scope > [data-space]");
    const height = (space?.offsetHeight ?? 0) - moved;
    if (!space || this.rest === null || height < 0 || space.offsetHeight === 0) return false;
    this.drift -= moved;
    space.style.height = `${height}px`;
    return true;
  }

  /** The message that was asked for is drawn now. */
  private reach(): void {
    const { box, target } = this;
    const article = target && this.articleOf(target.id);
    if (!box || !article) return;
    this.target = null;
    if (target.focus) focusArticle(article);
    if (!isInSight(article, box)) {
      const fits = article.offsetHeight < box.clientHeight;
      const inset = fits ? (box.clientHeight - article.offsetHeight) / 2 : MARGIN;
      box.scrollTop += article.getBoundingClientRect().top - box.getBoundingClientRect().top - inset;
      this.leaveEnd();
    }
    this.follow();
    article.classList.add("found");
    article.addEventListener("animationend", () => article.classList.remove("found"), { once: true });
  }

  /** Takes note of what is at the upper edge; what has the focus comes first. */
  private hold(): void {
    const { box, inner } = this;
    if (!box || !inner) return;
    const edge = box.getBoundingClientRect().top;
    const focused = document.activeElement?.closest<HTMLElement>(".timeline-inner > [data-row]") ?? null;
    const row = focused && inner.contains(focused) && isInSight(focused, box) ? focused : firstBelow(this.drawnRows(), edge);
    const known = this.rows[this.index.get(row?.dataset.row ?? "") ?? -1];
    const offset = row ? row.getBoundingClientRect().top - edge : 0;
    if (known && offset < this.height) {
      this.anchor = { key: known.key, offset, seq: known.kind === "gap" ? known.seq + Math.min(known.count - 1, Math.max(0, -offset / unitOf(known))) : known.seq };
      return;
    }
    // Nothing is drawn where the box is now.
    const start = inner.querySelector("[data-space]");
    if (!start || this.rows.length === 0) return;
    const y = edge - start.getBoundingClientRect().top - this.drift;
    const i = this.layout.at(y);
    this.anchor = { key: (this.rows[i] as Row).key, seq: this.seqOf(i, y), offset: this.layout.topOf(i) - y };
  }

  private rowOf(key: string): HTMLElement | null {
    return this.inner?.querySelector<HTMLElement>(`:scope > [data-row="${CSS.escape(key)}"]`) ?? null;
  }

  private articleOf(messageId: string): HTMLElement | null {
    return this.inner?.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(messageId)}"]`) ?? null;
  }
}

function unitOf({ height, count }: Row & { kind: "gap" }): number {
  return height / Math.max(1, count);
}

/** The first row that reaches below the edge, and that does not come and go. Rows are in order. */
function firstBelow(rows: readonly HTMLElement[], edge: number): HTMLElement | undefined {
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((rows[middle] as HTMLElement).getBoundingClientRect().bottom > edge) to = middle;
    else from = middle + 1;
  }
  while (from < rows.length - 1 && !(rows[from] as HTMLElement).hasAttribute("data-seq")) from += 1;
  return rows[from];
}
