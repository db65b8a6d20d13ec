// The list of conversations. Frames of the socket keep counts and order; what they don't carry is read, for the rows
// that a view shows, in pages of the hub's order.
import { Emitter } from "../emitter.js";
import { isTransient, messageOf, NetworkError } from "../errors.js";
import type { FeedItem, Frame } from "../types.js";
import { rowOf } from "./feed-order.js";
import { FeedPlaces } from "./feed-places.js";
import type { Rest } from "./rest.js";

/** After the first event of a burst, and between two readings during one. */
const SOON_MS = 400;
const GAP_MS = 3_000;
/** The same page is not read again sooner. */
const AGAIN_MS = 1_500;

export const FEED_PAGE = 50;
/** For single rows, and for looking through many. */
const SMALL_PAGE = 10;
const LARGE_PAGE = 100;
/** Pages that are read for open requests alone: beyond them the counts are a lower bound. */
const MAX_PAGES = 40;

const WITH_CONTENT = /^(session\.(created|updated|closed)|message\.(created|completed|cancelled|expired)|participant\.added)$/;

/** Places of the list, `to` excluded. */
export interface Stretch {
  from: number;
  to: number;
}

export class Feed extends Emitter {
  loaded = false;
  error: string | null = null;
  /** Called with the row of a conversation in which somebody has asked something new. */
  onAsked: ((item: FeedItem) => void) | null = null;

  private readonly list = new FeedPlaces();
  /** What a view shows, and whether it has to know of changes anywhere. */
  private shown: readonly Stretch[] = [{ from: 0, to: FEED_PAGE }];
  private followsAll = false;
  private more = false;
  /** Open requests by conversation, those that are not loaded included. */
  private readonly pending = new Map<string, number>();
  /** Rows that may have changed in a way that no frame has said. */
  private readonly old = new Set<string>();
  /** Rows whose frames told of content that they don't carry. */
  private readonly stale = new Set<string>();
  private readonly asked = new Set<string>();
  /** With frames since the readings began, and since the last page was asked for: they may have overtaken its reply. */
  private readonly moved = new Set<string>();
  private readonly overtaking = new Set<string>();
  private readTimer: ReturnType<typeof setTimeout> | null = null;
  private lastRead = -Infinity;
  /** When pages were read last: what a page doesn't bring isn't asked for again and again. */
  private readonly readAt = new Map<string, number>();
  private running = false;
  private again = false;
  private full = true;
  private disposed = false;
  /** Read positions of this client, which the next reply may not count yet. */
  private readonly read = new Map<string, number>();

  constructor(private readonly rest: Pick<Rest, "feed">) {
    super();
  }

  /** The loaded rows, sorted by need. Another array after each change. */
  get items(): readonly FeedItem[] {
    return this.list.items;
  }

  /** Of all conversations, loaded or not. */
  get total(): number {
    return this.list.total;
  }

  /** Open requests of all conversations, shown or not. */
  get pendingTotal(): number {
    let sum = 0;
    for (const count of this.pending.values()) sum += count;
    return sum;
  }

  /** Conversations with an open request. */
  get pendingSessions(): number {
    return this.pending.size;
  }

  get hasMore(): boolean {
    return this.items.length < this.total;
  }

  /** Whether a reading is under way. */
  get isReading(): boolean {
    return this.running;
  }

  /** The place in the whole list of a loaded row, by its index in `items`. */
  placeAt(index: number): number {
    return this.list.placeAt(index);
  }

  /** The loaded rows of what is shown, and the open conversation wherever it stands. */
  visible(openId: string | null): FeedItem[] {
    const shown = this.items.filter((_, i) => this.shown.some(({ from, to }) => this.placeAt(i) >= from && this.placeAt(i) < to));
    const open = openId === null ? undefined : this.row(openId);
    return open && !shown.includes(open) ? [...shown, open] : shown;
  }

  row(sessionId: string): FeedItem | undefined {
    return this.list.row(sessionId);
  }

  /** What a view shows now: it is read, and kept up to date. `followsAll`: so is everything else that changes. */
  look(shown: readonly Stretch[], followsAll = false): void {
    const isOther = followsAll !== this.followsAll || JSON.stringify(shown) !== JSON.stringify(this.shown);
    [this.shown, this.followsAll] = [shown, followsAll];
    if (!isOther) return;
    this.changed();
    if (!this.loaded || this.running) return;
    // What frames have told of is read with the next planned reading.
    if (this.missing(false)) void this.readPages();
    else if (this.missing()) this.plan();
  }

  /** A conversation that was made or opened here: it is in the list before a page brings it. */
  include(...row: Parameters<typeof rowOf>): void {
    const item = rowOf(...row);
    if (this.row(item.session.id) || item.session.status === "Archived") return;
    this.take(item);
    this.changed();
  }

  frame(frame: Frame): void {
    const id = String(frame.sessionId);
    const type = String(frame.event);
    this.moved.add(id);
    this.overtaking.add(id);
    if (type === "session.archived") this.drop(id);
    else this.applyFrame(id, type, frame);
    this.changed();
  }

  readUpTo(sessionId: string, seq: number): void {
    this.read.set(sessionId, Math.max(seq, this.read.get(sessionId) ?? 0));
    const row = this.row(sessionId);
    if (!row || row.unreadCount === 0) return;
    this.list.put(this.withoutRead(row));
    this.changed();
  }

  /** Reads again what is shown: what other windows have read, and what no frame has said. */
  refreshSoon(): void {
    this.full = true;
    this.plan();
  }

  /** Reads the first rows that are not loaded. */
  async loadMore(): Promise<void> {
    this.more = true;
    if (!this.running) await this.readPages();
  }

  /** Reads the rows that are shown and those with open requests. */
  async refresh(): Promise<void> {
    this.full = true;
    await this.readPages();
  }

  dispose(): void {
    this.disposed = true;
    if (this.readTimer !== null) clearTimeout(this.readTimer);
  }

  private applyFrame(id: string, type: string, frame: Frame): void {
    const count = Number(frame.pendingCount);
    const before = this.pending.get(id) ?? 0;
    if (Number.isFinite(count)) this.setPending(id, count);
    if (type === "message.created" && count > before) this.asked.add(id);
    const row = this.row(id);
    if (row) {
      const session = { ...row.session, lastSeq: Math.max(row.session.lastSeq, Number(frame.seq) || 0), updatedAt: String(frame.at ?? row.session.updatedAt) };
      const none = count === 0 ? { highestPriority: null, nextDeadlineAt: null } : {};
      this.list.put({ ...row, ...none, session, pendingCount: Number.isFinite(count) ? count : row.pendingCount });
    }
    if (!WITH_CONTENT.test(type)) return;
    // One that the person takes part in since now is new to this list, however old it is.
    const isNew = type === "session.created" || !this.hasMore;
    if (!row && this.loaded) this.list.makeRoom(this.placeOf(id, String(frame.at ?? "")), isNew);
    this.stale.add(id);
    this.plan();
  }

  /** Where a row that is not loaded stands by now, as far as a frame tells. */
  private placeOf(id: string, at: string): number {
    const session = { id, updatedAt: at, pendingCount: this.pending.get(id) ?? 0 } as FeedItem["session"];
    return this.list.placeFor(rowOf(session, null, []));
  }

  private plan(): void {
    if (this.disposed || this.readTimer !== null) return;
    const wait = Math.max(SOON_MS, this.lastRead + GAP_MS - Date.now());
    this.readTimer = setTimeout(() => {
      this.readTimer = null;
      void this.readPages();
    }, wait);
  }

  private async readPages(): Promise<void> {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    this.lastRead = Date.now();
    const full = this.full;
    this.full = false;
    this.moved.clear();
    try {
      if (full) await this.readAll();
      await this.readAsked();
      await this.fill();
      await this.readMore();
      this.error = null;
    } catch (error) {
      this.full ||= full;
      if (!(error instanceof NetworkError)) this.error = messageOf(error);
      // Out of reach: read again with the next connection. Busy: a little later.
      if (isTransient(error)) this.again = true;
    }
    this.running = false;
    this.changed();
    this.reportAsked();
    if (!this.again) return;
    this.again = false;
    this.plan();
  }

  /** What is shown, and every page that holds open requests. */
  private async readAll(): Promise<void> {
    for (const { session } of this.items) this.old.add(session.id);
    const found = new Set<string>();
    let isComplete = false;
    for (let page = 1; page <= MAX_PAGES && !isComplete; page += 1) {
      const data = await this.readPage(page, FEED_PAGE);
      for (const { session } of data) found.add(session.id);
      isComplete = data.length < FEED_PAGE || page * FEED_PAGE >= this.total;
      if (!this.loaded) {
        this.loaded = true;
        this.changed();
      }
      if (data.at(-1)?.pendingCount === 0) isComplete = true;
      await this.fill();
    }
    if (!isComplete) return;
    for (const id of [...this.pending.keys()]) if (!found.has(id) && !this.moved.has(id)) this.pending.delete(id);
  }

  /** New requests, shown or not: somebody is told of them. First where they should be, then further down. */
  private async readAsked(): Promise<void> {
    const missing = (): string[] => [...this.asked].filter((id) => this.pending.has(id) && (!this.row(id) || this.stale.has(id)));
    for (const id of missing()) {
      const row = this.row(id);
      const place = (row && this.list.placeOf(id)) ?? this.placeOf(id, "~");
      if (missing().includes(id)) await this.readPage(Math.floor(place / SMALL_PAGE) + 1, SMALL_PAGE);
    }
    if (missing().length > 0) await this.readPage(1, FEED_PAGE);
    if (missing().length > 0) await this.readAll();
    for (const id of missing()) this.asked.delete(id);
  }

  /** What is shown and not loaded, or out of date, as long as that is so. */
  private async fill(): Promise<void> {
    for (let next = this.missing(); next && !this.disposed; next = this.missing()) {
      await this.readPage(next.page, next.size);
      this.changed();
    }
  }

  private async readMore(): Promise<void> {
    while (this.more && this.hasMore && !this.disposed) {
      this.more = false;
      await this.readPage(Math.floor(this.list.firstGap(0, this.total) / LARGE_PAGE) + 1, LARGE_PAGE);
      this.changed();
    }
    this.more = false;
  }

  /** The next page to read: a small one where that is enough. */
  private missing(withStale = true): { page: number; size: number } | null {
    const places = this.missingPlaces(withStale);
    let isLate = false;
    for (const place of places) {
      const page = Math.floor(place / FEED_PAGE);
      const near = places.filter((one) => Math.floor(one / FEED_PAGE) === page);
      const size = near.every((one) => Math.floor(one / SMALL_PAGE) === Math.floor(place / SMALL_PAGE)) ? SMALL_PAGE : FEED_PAGE;
      const next = { page: Math.floor(place / size) + 1, size };
      if (Date.now() - (this.readAt.get(`${next.page} ${size}`) ?? -Infinity) > AGAIN_MS) return next;
      isLate = true;
    }
    // What a page did not bring: once more in a while.
    if (isLate) this.plan();
    return null;
  }

  private missingPlaces(withStale: boolean): number[] {
    const places: number[] = [];
    const stretches = this.followsAll ? [...this.shown, { from: this.pending.size, to: this.pending.size + this.stale.size }] : this.shown;
    for (const { from, to } of stretches) {
      for (let place = from; place < Math.min(to, this.total); place += 1) {
        const id = this.list.at(place)?.session.id;
        if (id === undefined || (withStale && this.stale.has(id)) || this.old.has(id)) places.push(place);
      }
    }
    if (this.followsAll && withStale) for (const id of this.stale) places.push(...[this.list.placeOf(id) ?? []].flat());
    return places;
  }

  private async readPage(page: number, size: number): Promise<readonly FeedItem[]> {
    this.readAt.set(`${page} ${size}`, Date.now());
    this.overtaking.clear();
    const { data, total } = await this.rest.feed(page, size);
    const rows = data.slice(0, size);
    const seqs = new Map(rows.map(({ session }) => [session.id, session.lastSeq]));
    const isOvertaken = (id: string): boolean => this.overtaking.has(id) && (seqs.get(id) ?? 0) < (this.row(id)?.session.lastSeq ?? 0);
    const fresh = rows.filter(({ session }) => !isOvertaken(session.id));
    this.list.page((page - 1) * size, { data: rows.map((item) => this.withoutRead(item)), total }, isOvertaken);
    for (const { session, pendingCount } of fresh) {
      this.setPending(session.id, pendingCount);
      this.old.delete(session.id);
      this.stale.delete(session.id);
    }
    return rows;
  }

  private reportAsked(): void {
    for (const id of [...this.asked]) {
      const row = this.row(id);
      if (!row || this.stale.has(id)) continue;
      this.asked.delete(id);
      if (row.pendingCount > 0) this.onAsked?.(row);
    }
  }

  private take(item: FeedItem): void {
    this.list.put(this.withoutRead(item));
    this.setPending(item.session.id, item.pendingCount);
  }

  private setPending(id: string, count: number): void {
    if (count > 0) this.pending.set(id, count);
    else this.pending.delete(id);
  }

  private drop(id: string): void {
    this.list.remove(id);
    this.pending.delete(id);
    this.stale.delete(id);
    this.old.delete(id);
  }

  private withoutRead(item: FeedItem): FeedItem {
    const read = this.read.get(item.session.id) ?? 0;
    return read >= item.session.lastSeq && item.unreadCount > 0 ? { ...item, unreadCount: 0 } : item;
  }
}
