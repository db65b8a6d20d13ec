// What the hub sends is of the conversation that it was asked for: everything else is left out, and counted.
//
// An encrypted conversation is known by its id. What carries another id would be read by the rules of that other one:
// as plain text of a conversation without encryption, or as a signed message that was written elsewhere.
import { Emitter } from "../emitter.js";
import { HiloopError } from "../errors.js";
import type { FeedItem, HubEvent, Message, Page, Session, TimelinePage } from "../types.js";

/** In the place of an event that was left out: its place on the timeline stays, for the events after it. */
export const FOREIGN_EVENT = "hub.foreign";

const BROKEN = "The hub sent something of another conversation. It is not shown.";
/** Beyond it, more is not counted. */
const MAX_COUNTED = 1_000;

export class Admission extends Emitter {
  private readonly refused = new Set<string>();

  /** How much was left out: each thing once, however often it was sent. */
  get count(): number {
    return this.refused.size;
  }

  session(id: string, session: Session): Session {
    if (idOf(session) !== id) throw this.broken(`session ${id} ${idOf(session)}`);
    return session;
  }

  /** `messageId`: null where the hub chooses it. */
  message(sessionId: string, messageId: string | null, message: Message): Message {
    const isRight = isOf(sessionId, message) && (messageId === null || idOf(message) === messageId);
    if (!isRight) throw this.broken(`message ${sessionId} ${messageId} ${idOf(message)}`);
    return message;
  }

  event(sessionId: string, event: HubEvent): HubEvent {
    const { message } = (event.data ?? {}) as { message?: unknown };
    const isRight = event.sessionId === sessionId && (message === undefined || message === null || isOf(sessionId, message));
    if (isRight) return event;
    this.note(`event ${sessionId} ${event.seq}`);
    return { sessionId, seq: event.seq, type: FOREIGN_EVENT, at: event.at, actor: null, data: null };
  }

  timeline(sessionId: string, page: TimelinePage): TimelinePage {
    return { ...page, data: page.data.map((event) => this.event(sessionId, event)) };
  }

  feed(page: Page<FeedItem>): Page<FeedItem> {
    return { ...page, data: page.data.map((item) => this.row(item)) };
  }

  private row(item: FeedItem): FeedItem {
    const { session, lastMessage } = item;
    if (!lastMessage || isOf(session.id, lastMessage)) return item;
    this.note(`row ${session.id} ${idOf(lastMessage)}`);
    return { ...item, lastMessage: null };
  }

  private broken(what: string): HiloopError {
    this.note(what);
    return new HiloopError(0, "OTHER_CONVERSATION", BROKEN);
  }

  private note(what: string): void {
    if (this.refused.has(what) || this.refused.size >= MAX_COUNTED) return;
    this.refused.add(what);
    this.changed();
  }
}

function idOf(value: unknown): unknown {
  return (value as { id?: unknown } | null | undefined)?.id;
}

function isOf(sessionId: string, message: unknown): boolean {
  return (message as { sessionId?: unknown } | null | undefined)?.sessionId === sessionId;
}
