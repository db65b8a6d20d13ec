// The events of one session as an async iterator: each once, in order, from any seq on. The timeline over HTTP is the
// source of truth; the live connection replaces polling while no event is missing.
import { HiloopError } from "../errors.js";
import type { HubEvent, TimelinePage } from "../types.js";
import type { Live, SessionReader } from "./live.js";
import { MAX_BUFFERED, Reader, type ReaderSource } from "./reader.js";

export const PAGE_SIZE = 200;

export interface EventSource extends ReaderSource {
  sessionId: string;
  /** The seq after which to begin; 0 for the whole session. */
  after: number;
  live: Live;
  page: (after: number, limit: number, signal: AbortSignal) => Promise<TimelinePage>;
}

/** Nothing is subscribed before the first event is asked for. */
export async function* sessionEvents(source: EventSource): AsyncGenerator<HubEvent, void, undefined> {
  yield* new EventReader(source).items();
}

class EventReader extends Reader<HubEvent> implements SessionReader {
  /** The seq of the newest event that was buffered. */
  private last: number;

  constructor(private readonly source: EventSource) {
    super(source);
    this.last = source.after;
    this.begin(source.live.readSession(source.sessionId, this));
  }

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

  protected isLive(): boolean {
    return this.source.live.isLive(this.source.sessionId);
  }

  protected async read(signal: AbortSignal): Promise<void> {
    const asked = this.last;
    const page = await this.source.page(asked, PAGE_SIZE, signal);
    // Restored to an earlier state: what follows may differ from what was returned already.
    if (page.lastSeq < asked) this.failure = resetError(this.source.sessionId);
    // Live events may have arrived meanwhile. A gap in the page is retention's: those events are deleted.
    for (const event of page.data) if (event.seq > this.last) this.take(event);
    if (page.hasMore) this.isBehind = true;
  }

  private take(event: HubEvent): void {
    this.buffer.push(event);
    this.last = event.seq;
  }
}

function resetError(sessionId: string): HiloopError {
  const message = `The hub's database was restored to an earlier state: drop what you have of session ${sessionId} and read it from seq 0`;
  return new HiloopError(0, "HISTORY_RESET", message);
}
