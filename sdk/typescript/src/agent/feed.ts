// The events of all sessions of an agent, without content: frames of the live connection and, after a gap in it, the
// sessions with newer events, read over HTTP.
import { Backoff } from "../backoff.js";
import { isTransient } from "../errors.js";
import type { Platform } from "../platform.js";
import { sleep } from "../time.js";
import type { Frame, Page, Session } from "../types.js";
import type { FeedReader, Live } from "./live.js";
import { pauseAfter } from "./retry.js";

export interface FeedEntry {
  sessionId: string;
  /** The newest event of the session. */
  seq: number;
  /** Its type; null where several events happened while the connection was away. */
  event: string | null;
  pendingCount: number;
  at: string;
}

export interface FeedSource {
  live: Live;
  /** Sessions by their latest activity, newest first. */
  sessions: (page: number, pageSize: number, signal: AbortSignal) => Promise<Page<Session>>;
  platform: Platform;
  /** Ends the iteration without an error. */
  signal: AbortSignal | undefined;
}

/** Entries that wait for a slow consumer; the sessions of those beyond are read again later. */
const MAX_BUFFERED = 1_000;
/** Sessions whose newest seq is remembered, and that are read at once after a gap. */
const MAX_SESSIONS = 10_000;
const PAGE_SIZE = 100;
const POLL_MS = 2_000;

export async function* feedEntries(source: FeedSource): AsyncGenerator<FeedEntry, void, undefined> {
  const subscription = new FeedSubscription(source);
  try {
    for (let entry = await subscription.next(); entry !== null; entry = await subscription.next()) yield entry;
  } finally {
    subscription.stop();
  }
}

class FeedSubscription implements FeedReader {
  private readonly buffer: FeedEntry[] = [];
  /** The newest seq of each session that was seen, the least recent one first. */
  private readonly seen = new Map<string, number>();
  /** The newest time of an event, by the hub's clock; null until the feed has begun. */
  private newest: string | null = null;
  private isBehind = true;
  private wake: (() => void) | null = null;
  private readonly leave: () => void;
  private readonly stopping = new AbortController();
  private readonly backoff: Backoff;

  constructor(private readonly source: FeedSource) {
    this.backoff = new Backoff(250, 5_000, source.platform.random);
    this.leave = source.live.readFeed(this);
    source.signal?.addEventListener("abort", this.stop);
    if (source.signal?.aborted) this.stop();
  }

  async next(): Promise<FeedEntry | null> {
    for (;;) {
      if (this.stopping.signal.aborted) return null;
      const entry = this.buffer.shift();
      if (entry) return entry;
      if (this.isBehind) await this.catchUp();
      else await this.hint();
    }
  }

  readonly stop = (): void => {
    if (this.stopping.signal.aborted) return;
    this.stopping.abort();
    this.source.signal?.removeEventListener("abort", this.stop);
    this.leave();
    this.changed();
  };

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

  changed(): void {
    this.wake?.();
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

  /** Reads the sessions with activity since the newest event that was seen. */
  private async catchUp(): Promise<void> {
    const { signal } = this.stopping;
    this.isBehind = false;
    try {
      if (this.newest === null) {
        const { data } = await this.source.sessions(1, 1, signal);
        this.newest ??= data[0]?.updatedAt ?? "";
        if (data[0]) this.seen.set(data[0].id, data[0].lastSeq);
      } else {
        await this.readSince(this.newest, signal);
      }
      this.backoff.reset();
    } catch (error) {
      if (signal.aborted) return;
      if (!isTransient(error)) throw error;
      this.isBehind = true;
      await sleep(pauseAfter(error, this.backoff), signal).catch(() => undefined);
    }
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

  private async hint(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (this.source.live.feedIsLive) return;
      timer = setTimeout(() => {
        this.isBehind = true;
        resolve();
      }, POLL_MS);
    });
    clearTimeout(timer);
    this.wake = null;
  }
}
