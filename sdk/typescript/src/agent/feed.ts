// The events of all sessions of an agent, without content: frames of the live connection and, after a gap in it, the
// sessions with newer events, read over HTTP.
import type { Frame, Page, Session } from "../types.js";
import type { FeedReader, Live } from "./live.js";
import { MAX_BUFFERED, Reader, type ReaderSource } from "./reader.js";

export interface FeedEntry {
  sessionId: string;
  /** The newest event of the session. */
  seq: number;
  /** Its type; null where several events happened while the connection was away. */
  event: string | null;
  pendingCount: number;
  at: string;
}

export interface FeedSource extends ReaderSource {
  live: Live;
  /** Sessions by their latest activity, newest first. */
  sessions: (page: number, pageSize: number, signal: AbortSignal) => Promise<Page<Session>>;
}

/** Sessions whose newest seq is remembered, and that are read at once after a gap. */
const MAX_SESSIONS = 10_000;
const PAGE_SIZE = 100;

/** Nothing is subscribed before the first entry is asked for. */
export async function* feedEntries(source: FeedSource): AsyncGenerator<FeedEntry, void, undefined> {
  yield* new FeedSubscription(source).items();
}

class FeedSubscription extends Reader<FeedEntry> implements FeedReader {
  /** The newest seq of each session that was seen, the least recent one first. */
  private readonly seen = new Map<string, number>();
  /** The newest time of an event, by the hub's clock; null until the feed has begun. */
  private newest: string | null = null;

  constructor(private readonly source: FeedSource) {
    super(source);
    this.begin(source.live.readFeed(this));
  }

  frame(frame: Frame): void {
    const { sessionId, seq, event, pendingCount, at } = frame as Partial<Record<keyof FeedEntry, unknown>>;
    if (typeof sessionId !== "string" || typeof seq !== "number") return;
    this.take({ sessionId, seq, event: String(event), pendingCount: Number(pendingCount) || 0, at: String(at) });
    this.changed();
  }

  subscribed(): void {
    this.isBehind = true;
    this.changed();
  }

  private take(entry: FeedEntry): void {
    if (entry.seq <= (this.seen.get(entry.sessionId) ?? 0)) return;
    if (this.buffer.length >= MAX_BUFFERED) {
      this.isBehind = true;
      return;
    }
    this.seen.delete(entry.sessionId);
    this.seen.set(entry.sessionId, entry.seq);
    if (this.seen.size > MAX_SESSIONS) this.seen.delete(this.seen.keys().next().value as string);
    if (this.newest === null || entry.at > this.newest) this.newest = entry.at;
    this.buffer.push(entry);
  }

  protected isLive(): boolean {
    return this.source.live.feedIsLive;
  }

  /** Reads the sessions with activity since the newest event that was seen. */
  protected async read(signal: AbortSignal): Promise<void> {
    if (this.newest !== null) return this.readSince(this.newest, signal);
    const { data } = await this.source.sessions(1, 1, signal);
    this.newest ??= data[0]?.updatedAt ?? "";
    if (data[0]) this.seen.set(data[0].id, data[0].lastSeq);
  }

  private async readSince(since: string, signal: AbortSignal): Promise<void> {
    const moved: Session[] = [];
    for (let page = 1; moved.length < MAX_SESSIONS; page += 1) {
      const { data } = await this.source.sessions(page, PAGE_SIZE, signal);
      const recent = data.filter((session) => session.updatedAt >= since);
      moved.push(...recent);
      if (recent.length < PAGE_SIZE) break;
    }
    for (const { id, lastSeq, pendingCount, updatedAt } of moved.reverse()) {
      this.take({ sessionId: id, seq: lastSeq, event: null, pendingCount, at: updatedAt });
    }
  }
}
