// The events of one session as an async iterator: each once, in order, from any seq on. The timeline over HTTP is the
// source of truth; the live connection replaces polling while no event is missing.
import { Backoff } from "../backoff.js";
import { HiloopError, isTransient } from "../errors.js";
import type { Platform } from "../platform.js";
import { sleep } from "../time.js";
import type { HubEvent, TimelinePage } from "../types.js";
import type { Live, SessionReader } from "./live.js";
import { pauseAfter } from "./retry.js";

/** Events that wait for a slow consumer; those beyond are read again later. */
const MAX_BUFFERED = 1_000;
export const PAGE_SIZE = 200;
/** How often the timeline is read while there is no live connection. */
const POLL_MS = 2_000;

export interface EventSource {
  sessionId: string;
  /** The seq after which to begin; 0 for the whole session. */
  after: number;
  live: Live;
  page: (after: number, limit: number, signal: AbortSignal) => Promise<TimelinePage>;
  platform: Platform;
  /** Ends the iteration without an error. */
  signal: AbortSignal | undefined;
}

export async function* sessionEvents(source: EventSource): AsyncGenerator<HubEvent, void, undefined> {
  const reader = new EventReader(source);
  try {
    for (let event = await reader.next(); event !== null; event = await reader.next()) yield event;
  } finally {
    reader.stop();
  }
}

class EventReader implements SessionReader {
  private readonly buffer: HubEvent[] = [];
  /** The seq of the newest event that was buffered. */
  private last: number;
  /** The log may hold events after `last` that are not in the buffer. */
  private isBehind = true;
  private isReset = false;
  private wake: (() => void) | null = null;
  private readonly leave: () => void;
  private readonly stopping = new AbortController();
  private readonly backoff: Backoff;

  constructor(private readonly source: EventSource) {
    this.last = source.after;
    this.backoff = new Backoff(250, 5_000, source.platform.random);
    this.leave = source.live.readSession(source.sessionId, this);
    source.signal?.addEventListener("abort", this.stop);
    if (source.signal?.aborted) this.stop();
  }

  /** The next event; null once it is stopped. */
  async next(): Promise<HubEvent | null> {
    for (;;) {
      if (this.stopping.signal.aborted) return null;
      const event = this.buffer.shift();
      if (event) return event;
      if (this.isReset) throw resetError(this.source.sessionId);
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

  event(event: HubEvent): void {
    if (event.seq <= this.last) return;
    if (event.seq === this.last + 1 && this.buffer.length < MAX_BUFFERED) this.take(event);
    else this.isBehind = true;
    this.changed();
  }

  subscribed(head: number): void {
    if (head !== this.last) this.isBehind = true;
    this.changed();
  }

  changed(): void {
    this.wake?.();
  }

  private take(event: HubEvent): void {
    this.buffer.push(event);
    this.last = event.seq;
  }

  private async catchUp(): Promise<void> {
    const { signal } = this.stopping;
    this.isBehind = false;
    try {
      const asked = this.last;
      const page = await this.source.page(asked, PAGE_SIZE, signal);
      this.backoff.reset();
      // Restored to an earlier state: what follows may differ from what was returned already.
      if (page.lastSeq < asked) this.isReset = true;
      // Live events may have arrived meanwhile. A gap in the page is retention's: those events are deleted.
      for (const event of page.data) if (event.seq > this.last) this.take(event);
      if (page.hasMore) this.isBehind = true;
    } catch (error) {
      if (signal.aborted) return;
      if (!isTransient(error)) throw error;
      this.isBehind = true;
      await sleep(pauseAfter(error, this.backoff), signal).catch(() => undefined);
    }
  }

  /** Returns when something may have happened. */
  private async hint(): Promise<void> {
    const { live, sessionId } = this.source;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (live.isLive(sessionId)) return;
      timer = setTimeout(() => {
        this.isBehind = true;
        resolve();
      }, POLL_MS);
    });
    clearTimeout(timer);
    this.wake = null;
  }
}

function resetError(sessionId: string): HiloopError {
  const message = `The hub's database was restored to an earlier state: drop what you have of session ${sessionId} and read it from seq 0`;
  return new HiloopError(0, "HISTORY_RESET", message);
}
