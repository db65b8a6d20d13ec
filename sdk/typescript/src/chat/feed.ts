// The list of conversations. Frames of the socket keep counts and order; what they don't carry is read from the pages
// that hold the changed rows, at most every few seconds.
import { Emitter } from "../emitter.js";
import { isTransient, messageOf, NetworkError } from "../errors.js";
import type { FeedItem, Frame, Page } from "../types.js";
import { byNeed, rowOf } from "./feed-order.js";
import type { Rest } from "./rest.js";

/** After the first event of a burst, and between two readings during one. */
const SOON_MS = 400;
const GAP_MS = 3_000;

export const FEED_PAGE = 50;
/** Pages that are read for open requests alone: beyond them the counts are a lower bound. */
const MAX_PAGES = 40;

const WITH_CONTENT = /^(session\.(created|updated|closed)|message\.(created|completed|cancelled|expired)|participant\.added)$/;

export class Feed extends Emitter {
  /** Sorted by need. */
  items: FeedItem[] = [];
  total = 0;
  loaded = false;
  error: string | null = null;
  /** How many rows the person has asked to see. */
  shown = FEED_PAGE;
  /** Called with the row of a conversation in which somebody has asked something new. */
  onAsked: ((item: FeedItem) => void) | null = null;

  private readonly rows = new Map<string, FeedItem>();
  /** Open requests by conversation, those that are not loaded included. */
  private readonly pending = new Map<string, number>();
  private readonly stale = new Set<string>();
  private readonly asked = new Set<string>();
  /** Rows that no page has brought. */
  private readonly included = new Set<string>();
  /** With frames since the reading began, which may have overtaken its reply. */
  private readonly moved = new Set<string>();
  /** Not found where they were looked for, nor anywhere else. */
  private readonly absent = new Set<string>();
  private readTimer: ReturnType<typeof setTimeout> | null = null;
  private lastRead = -Infinity;
  private running = false;
  private again = false;
  private full = true;
  private disposed = false;
  /** Read positions of this client, which the next reply may not count yet. */
  private readonly read = new Map<string, number>();

  constructor(private readonly rest: Pick<Rest, "feed">) {
    super();
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
    return Math.min(this.shown, this.items.length) < this.total;
  }

  /** The rows to show: the first ones, and the open conversation wherever it stands. */
  visible(openId: string | null): FeedItem[] {
    const first = this.items.slice(0, this.shown);
    if (openId === null || first.some(({ session }) => session.id === openId)) return first;
    const open = this.rows.get(openId);
    return open ? [...first, open] : first;
  }

  row(sessionId: string): FeedItem | undefined {
    return this.rows.get(sessionId);
  }

  /** A conversation that was made or opened here: it is in the list before a page brings it. */
  include(...row: Parameters<typeof rowOf>): void {
    const item = rowOf(...row);
    if (this.rows.has(item.session.id) || item.session.status === "Archived") return;
    this.included.add(item.session.id);
    this.take(item);
    this.sort();
    this.changed();
  }

  frame(frame: Frame): void {
    const id = String(frame.sessionId);
    const type = String(frame.event);
    this.moved.add(id);
    if (type === "session.archived") this.drop(id);
    else this.applyFrame(id, type, frame);
    this.changed();
  }

  readUpTo(sessionId: string, seq: number): void {
    this.read.set(sessionId, Math.max(seq, this.read.get(sessionId) ?? 0));
    const row = this.rows.get(sessionId);
    if (!row || row.unreadCount === 0) return;
    this.rows.set(sessionId, this.withoutRead(row));
    this.sort();
    this.changed();
  }

  /** Reads all shown pages again: what other windows have read, and what no frame has said. */
  refreshSoon(): void {
    this.full = true;
    this.plan();
  }

  async loadMore(): Promise<void> {
    this.shown += FEED_PAGE;
    this.changed();
    if (this.items.length < Math.min(this.shown, this.total)) await this.refresh();
  }

  /** Reads the pages that are shown and those with open requests. */
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
    const row = this.rows.get(id);
    if (row) {
      const session = { ...row.session, lastSeq: Math.max(row.session.lastSeq, Number(frame.seq) || 0), updatedAt: String(frame.at ?? row.session.updatedAt) };
      const none = count === 0 ? { highestPriority: null, nextDeadlineAt: null } : {};
      this.rows.set(id, { ...row, ...none, session, pendingCount: Number.isFinite(count) ? count : row.pendingCount });
      this.sort();
    }
    if (!WITH_CONTENT.test(type)) return;
    this.stale.add(id);
    this.plan();
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
    const [full, stale] = [this.full, new Set(this.stale)];
    this.full = false;
    this.stale.clear();
    this.moved.clear();
    try {
      if (full) await this.readAll();
      else await this.readRows(stale);
      this.error = null;
    } catch (error) {
      this.full ||= full;
      for (const id of stale) this.stale.add(id);
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

  /** Every shown page, and further ones as long as they hold open requests. Rows that are gone are dropped. */
  private async readAll(): Promise<void> {
    const found = new Set<string>();
    let complete = false;
    for (let page = 1; page <= MAX_PAGES && !complete; page += 1) {
      const reply = await this.rest.feed(page, FEED_PAGE);
      this.merge(reply, found);
      const [last, end] = [reply.data.at(-1), page * reply.pageSize];
      complete = !last || end >= reply.total;
      if (last?.pendingCount === 0 && end >= this.shown) break;
      if (!this.loaded) {
        this.loaded = true;
        this.changed();
      }
    }
    this.loaded = true;
    const isGone = (id: string): boolean => !found.has(id) && !this.moved.has(id) && (complete || !this.included.has(id));
    for (const id of [...this.rows.keys()]) if (isGone(id)) this.rows.delete(id);
    for (const id of [...this.pending.keys()]) if (isGone(id)) this.pending.delete(id);
    this.absent.clear();
    this.sort();
  }

  /** The pages on which changed rows stand by now. */
  private async readRows(stale: ReadonlySet<string>): Promise<void> {
    const found = new Set<string>();
    for (const page of this.pagesOf(stale)) this.merge(await this.rest.feed(page, FEED_PAGE), found);
    this.sort();
    const missing = [...stale].filter((id) => !this.rows.has(id) && this.pending.has(id) && !this.absent.has(id));
    if (missing.length === 0) return;
    // An open request that stands further down than new ones usually do. Looked for once.
    await this.readAll();
    for (const id of missing) if (!this.rows.has(id)) this.absent.add(id);
  }

  private pagesOf(stale: ReadonlySet<string>): number[] {
    const pages = new Set<number>();
    for (const id of stale) {
      const row = this.rows.get(id);
      const at = row ? this.items.indexOf(row) : this.pending.has(id) ? 0 : this.pending.size;
      // The counts of a row that nobody sees are known from its frames.
      if (!row || at < this.shown || this.asked.has(id)) pages.add(Math.floor(at / FEED_PAGE) + 1);
    }
    return [...pages].sort((a, b) => a - b);
  }

  private reportAsked(): void {
    for (const id of [...this.asked]) {
      const row = this.rows.get(id);
      if (!row) continue;
      this.asked.delete(id);
      if (row.pendingCount > 0) this.onAsked?.(row);
    }
  }

  private merge(reply: Page<FeedItem>, found: Set<string>): void {
    this.total = reply.total;
    // The order may change between two pages: a session counts where it is found first.
    for (const item of reply.data) {
      if (found.has(item.session.id)) continue;
      found.add(item.session.id);
      const known = this.rows.get(item.session.id);
      const isOvertaken = this.moved.has(item.session.id) && item.session.lastSeq < (known?.session.lastSeq ?? 0);
      if (!isOvertaken) this.take(item);
    }
    this.sort();
  }

  private take(item: FeedItem): void {
    this.rows.set(item.session.id, this.withoutRead(item));
    this.setPending(item.session.id, item.pendingCount);
  }

  private setPending(id: string, count: number): void {
    if (count > 0) this.pending.set(id, count);
    else this.pending.delete(id);
  }

  private drop(id: string): void {
    if (this.rows.delete(id)) this.total = Math.max(0, this.total - 1);
    this.pending.delete(id);
    this.stale.delete(id);
    this.sort();
  }

  private sort(): void {
    this.items = [...this.rows.values()].sort(byNeed);
  }

  private withoutRead(item: FeedItem): FeedItem {
    const read = this.read.get(item.session.id) ?? 0;
    return read >= item.session.lastSeq && item.unreadCount > 0 ? { ...item, unreadCount: 0 } : item;
  }
}
