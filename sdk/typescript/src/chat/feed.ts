// The list of conversations, kept live by the socket's feed frames.
import { Emitter } from "../emitter.js";
import { messageOf, NetworkError } from "../errors.js";
import type { Rest } from "./rest.js";
import type { FeedItem, Frame } from "../types.js";

const REFRESH_MS = 400;

export class Feed extends Emitter {
  items: FeedItem[] = [];
  total = 0;
  loaded = false;
  error: string | null = null;

  private pages = 1;
  private refreshTimer: ReturnType<typeof setTimeout> | null = null;
  private running = false;
  private again = false;
  /** Read positions of this client, which the next reply may not count yet. */
  private readonly read = new Map<string, number>();

  constructor(private readonly rest: Rest) {
    super();
  }

  get pendingTotal(): number {
    return this.items.reduce((sum, item) => sum + item.pendingCount, 0);
  }

  get hasMore(): boolean {
    return this.items.length < this.total;
  }

  /** An event of one session: updates its counts; the order follows with the next reply. */
  frame(frame: Frame): void {
    const pendingCount = Number(frame.pendingCount);
    this.items = this.items.map((item) =>
      item.session.id === frame.sessionId && Number.isFinite(pendingCount) ? { ...item, pendingCount } : item,
    );
    this.changed();
    this.refreshSoon();
  }

  readUpTo(sessionId: string, seq: number): void {
    this.read.set(sessionId, Math.max(seq, this.read.get(sessionId) ?? 0));
    this.items = this.items.map((item) => this.withoutRead(item));
    this.changed();
  }

  refreshSoon(): void {
    this.refreshTimer ??= setTimeout(() => {
      this.refreshTimer = null;
      void this.refresh();
    }, REFRESH_MS);
  }

  async loadMore(): Promise<void> {
    this.pages += 1;
    await this.refresh();
  }

  async refresh(): Promise<void> {
    if (this.running) {
      this.again = true;
      return;
    }
    this.running = true;
    try {
      const items = new Map<string, FeedItem>();
      for (let page = 1; page <= this.pages; page += 1) {
        const reply = await this.rest.feed(page);
        this.total = reply.total;
        // The order may change between two pages: a session counts where it is found first.
        for (const item of reply.data) if (!items.has(item.session.id)) items.set(item.session.id, this.withoutRead(item));
        if (page * reply.pageSize >= reply.total) break;
      }
      this.items = [...items.values()];
      this.loaded = true;
      this.error = null;
    } catch (error) {
      if (!(error instanceof NetworkError)) this.error = messageOf(error);
    }
    this.running = false;
    this.changed();
    if (this.again) {
      this.again = false;
      this.refreshSoon();
    }
  }

  dispose(): void {
    if (this.refreshTimer !== null) clearTimeout(this.refreshTimer);
  }

  private withoutRead(item: FeedItem): FeedItem {
    const read = this.read.get(item.session.id) ?? 0;
    return read >= item.session.lastSeq && item.unreadCount > 0 ? { ...item, unreadCount: 0 } : item;
  }
}
