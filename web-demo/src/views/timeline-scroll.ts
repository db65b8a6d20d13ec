// The scrolling of the timeline: stays at the end while one is there, keeps in place what is being read while something
// changes above it, and brings a message into view.
import type { LiveSession, Message } from "@hiloop/sdk/chat";
import { NEAR_GAP, nextReading } from "./gap-loading";
import { focusArticle, isInSight, MARGIN } from "./jump";
import { ListWindow, type Stretch } from "./list-window";
import { RowElements, rowKeyOf } from "./row-elements";
import type { Range } from "./row-window";
import { type Anchor, anchorAmong, anchorAt, anchorOf, seqAt, viewAt } from "./timeline-anchor";
import type { Row } from "./timeline-rows";

const NEAR_END = 80;
/** A row that was never drawn. */
const ROW_PX = 72;
/** Without scrolling for so long, one has come to rest. */
const REST_MS = 150;

export interface OutOfSight {
  id: string;
  isAbove: boolean;
}

export class TimelineScroll {
  /** Whether new rows are followed. */
  atEnd = true;
  /** The last event when the end was left. */
  leftAt = 0;
  private page: RowElements | null = null;
  private readonly list = new ListWindow<Row>(ROW_PX);
  private anchor: Anchor | null = null;
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
    this.page = new RowElements(box, inner);
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
    this.list.setRows(rows);
    this.aim();
    // What is selected stays whole.
    return this.list.plan(this.view(), this.page?.isSelecting() ?? false, (index) => this.dayOf(index));
  }

  /** The space that stands for rows that are not drawn. */
  spaceOf(range: Range): number {
    const height = Math.max(0, this.list.layout.height(range) + (range.from === 0 ? this.drift : 0));
    if (range.from === 0) this.startSpace = height;
    return height;
  }

  /** After each drawing, before it is seen. */
  drawn(): void {
    // It may have been changed since.
    const space = this.page?.startSpace();
    if (space) space.style.height = `${this.startSpace}px`;
    this.measure();
    this.place();
    this.reach();
    this.hold();
    this.redrawIfBare();
  }

  /** Whether the end was left or reached. */
  scrolled(): boolean {
    const before = this.atEnd;
    if (this.wasScrolled()) this.moved();
    this.follow();
    this.redrawIfBare();
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
    const { page } = this;
    if (!page) return null;
    let next: OutOfSight | null = null;
    for (const { id, seq } of messages) {
      const article = page.article(id);
      if (article && isInSight(article, page.box)) return null;
      next ??= { id, isAbove: article ? page.topOf(article) < 0 : seq < seqAt(this.list, this.view().top) };
    }
    return next;
  }

  /** Reads what is not loaded near what is in view, and lets the rest be dropped. */
  load(): void {
    const { list, live } = this;
    if (!this.page || live.phase !== "ready" || list.rows.length === 0) return;
    const view = this.view();
    live.history.lookAt(Math.floor(seqAt(list, view.top)), Math.ceil(seqAt(list, view.bottom)), new Set(list.usedRows().map(({ seq }) => seq)));
    // At the end of more than fits nobody has scrolled up: the box is just about to follow.
    if (live.history.loading || (this.atEnd && list.layout.total > view.bottom - view.top + NEAR_GAP)) return;
    const next = nextReading(list, view, this.rest !== null);
    if (next === "passing") this.isPassing = true;
    else if (next) live.history.look(next.from, next.to);
  }

  private get height(): number {
    return this.page?.box.clientHeight || window.innerHeight;
  }

  private view(): Stretch {
    return viewAt(this.list, this.atEnd ? null : this.anchor, this.height);
  }

  /** Finds the anchor again among other rows than before, and moves it to what is to be shown. */
  private aim(): void {
    const { target, anchor, list } = this;
    const row = target ? list.rows.find((one) => one.kind === "message" && one.message.id === target.id) : undefined;
    if (row && !this.page?.row(row.key)) {
      this.leaveEnd();
      this.anchor = anchorOf(row, Math.max(0, (this.height - list.heightOf(row)) / 2));
    } else if (anchor) {
      this.anchor = anchorAmong(list, anchor);
    }
  }

  /** The day is the heading above the names of senders. */
  private dayOf(index: number): number {
    let day = index;
    while (day > 0 && this.list.rows[day]?.kind !== "day") day -= 1;
    return day;
  }

  private redrawIfBare(): void {
    if (!this.list.isCovered(() => this.view())) this.redraw();
  }

  private use(target: EventTarget | null): void {
    const key = rowKeyOf(target);
    if (key !== undefined) this.list.use(key);
  }

  private measure(): void {
    for (const row of this.page?.drawn() ?? []) this.list.measured(row.dataset.row as string, row.getBoundingClientRect().height);
  }

  /** Parts of messages are drawn later than the rest, and the window changes its size. */
  private resized(): void {
    const width = this.page?.inner.clientWidth ?? 0;
    if (width !== this.width) this.list.forgetHeights();
    this.width = width;
    if (this.wasScrolled()) this.follow();
    this.measure();
    this.place();
    this.redrawIfBare();
  }

  /** By somebody else than this. A box whose content has become shorter moves by itself. */
  private wasScrolled(): boolean {
    const box = this.page?.box;
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
    const box = this.page?.box;
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
    const { page, anchor } = this;
    if (!page) return;
    const row = anchor && page.row(anchor.key);
    if (this.atEnd) {
      this.drift = 0;
      page.box.scrollTop = page.box.scrollHeight;
    } else if (row) {
      const moved = page.topOf(row) - anchor.offset;
      if (Math.abs(moved) >= 0.5 && !this.absorb(moved)) page.box.scrollTop += moved;
    }
    this.top = page.box.scrollTop;
  }

  /** Takes up in the first space by how much the rows below it have moved, if one scrolls and it is high enough. */
  private absorb(moved: number): boolean {
    const space = this.page?.startSpace();
    const height = (space?.offsetHeight ?? 0) - moved;
    if (!space || this.rest === null || height < 0 || space.offsetHeight === 0) return false;
    this.drift -= moved;
    space.style.height = `${height}px`;
    return true;
  }

  /** The message that was asked for is drawn now. */
  private reach(): void {
    const { page, target } = this;
    const article = target && page?.article(target.id);
    if (!page || !article) return;
    const { box } = page;
    this.target = null;
    if (target.focus) focusArticle(article);
    if (!isInSight(article, box)) {
      const fits = article.offsetHeight < box.clientHeight;
      box.scrollTop += page.topOf(article) - (fits ? (box.clientHeight - article.offsetHeight) / 2 : MARGIN);
      this.leaveEnd();
    }
    this.follow();
    article.classList.add("found");
    article.addEventListener("animationend", () => article.classList.remove("found"), { once: true });
  }

  /** Takes note of what is at the upper edge; what has the focus comes first. */
  private hold(): void {
    const { page, list } = this;
    if (!page) return;
    const row = page.read();
    const known = list.row(row?.dataset.row ?? "");
    const offset = row ? page.topOf(row) : 0;
    if (known && offset < this.height) {
      this.anchor = anchorOf(known, offset);
      return;
    }
    // Nothing is drawn where the box is now.
    const start = page.startSpace();
    if (start && list.rows.length > 0) this.anchor = anchorAt(list, -page.topOf(start) - this.drift);
  }
}
