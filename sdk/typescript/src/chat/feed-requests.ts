// Which open request a row of the list names: its last message where that is the question, else the newest question
// near the end of the conversation, read once.
import { HiloopError, NetworkError } from "../errors.js";
import type { FeedItem, Message } from "../types.js";
import type { Rest } from "./rest.js";
import { Timeline } from "./timeline.js";

/** How far back a question is looked for. */
const REACH = 100;

interface Known {
  /** Null: there is none within reach. */
  message: Message | null;
  /** The state of the conversation that this follows from. */
  pendingCount: number;
}

export class FeedRequests {
  private readonly known = new Map<string, Known>();
  private queue: FeedItem[] = [];
  private working = false;
  private disposed = false;

  constructor(
    private readonly rest: Pick<Rest, "timeline">,
    private readonly changed: () => void,
  ) {}

  /** The request that a row names; undefined where it is not known yet. */
  of(item: FeedItem): Message | null | undefined {
    if (item.pendingCount === 0) return null;
    const { lastMessage } = item;
    if (lastMessage && isOpen(lastMessage)) return lastMessage;
    const known = this.known.get(item.session.id);
    return known && known.pendingCount === item.pendingCount ? known.message : undefined;
  }

  /** Reads what is not known of these rows, one after the other. */
  want(items: readonly FeedItem[]): void {
    for (const item of items) this.remember(item);
    this.queue = items.filter((item) => this.of(item) === undefined);
    void this.work();
  }

  dispose(): void {
    this.disposed = true;
  }

  /** A question that was the last message stays the one, as long as the number of open ones is the same. */
  private remember({ session, lastMessage, pendingCount }: FeedItem): void {
    if (pendingCount === 0) this.known.delete(session.id);
    else if (lastMessage && isOpen(lastMessage)) this.known.set(session.id, { message: lastMessage, pendingCount });
  }

  /** The request that a row names, read where it has to be; null if none is within reach. */
  async find(item: FeedItem): Promise<Message | null> {
    this.remember(item);
    const known = this.of(item);
    return known === undefined ? this.read(item) : known;
  }

  /** The open conversation has loaded requests that may be out of reach here. */
  learn(sessionId: string, message: Message | null, pendingCount: number): void {
    if (!message || pendingCount === 0 || this.known.get(sessionId)?.message?.id === message.id) return;
    this.known.set(sessionId, { message, pendingCount });
    this.changed();
  }

  /** One of the open requests of a conversation was settled: perhaps the one that its row names. */
  forget(sessionId: string): void {
    this.known.delete(sessionId);
  }

  private async work(): Promise<void> {
    if (this.working) return;
    this.working = true;
    try {
      for (let item = this.queue.shift(); item && !this.disposed; item = this.queue.shift()) {
        if (this.of(item) !== undefined) continue;
        await this.read(item);
        this.changed();
      }
    } catch (error) {
      // Out of reach: read again with the next change of the list.
      if (!(error instanceof NetworkError)) throw error;
    } finally {
      this.working = false;
    }
  }

  private async read({ session, pendingCount }: FeedItem): Promise<Message | null> {
    let message: Message | null = null;
    try {
      const after = Math.max(0, session.lastSeq - REACH);
      const { data } = await this.rest.timeline(session.id, after, REACH + 20);
      const timeline = new Timeline(after);
      for (const event of data) timeline.apply(event);
      message = timeline.pending().at(-1) ?? null;
    } catch (error) {
      if (error instanceof NetworkError || !(error instanceof HiloopError)) throw error;
    }
    this.known.set(session.id, { message, pendingCount });
    return message;
  }
}

function isOpen(message: Message): boolean {
  return message.responseRequired && message.status === "Pending";
}
