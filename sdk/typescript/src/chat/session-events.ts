// What the events and signals of an open conversation change, beyond its timeline: the session, those who take part and
// type, what is opened, and what a person has on its way.
import type { Actor, Frame, HubEvent, Message } from "../types.js";
import type { Outbox } from "./outbox.js";
import type { Roster } from "./roster.js";
import { isSettlement, type SessionRecord } from "./session-record.js";
import type { SessionSeals } from "./session-seals.js";
import type { Timeline } from "./timeline.js";
import type { TypingList } from "./typing.js";

/** Of a typing notice that does not say for how long it holds. */
const TYPING_MS = 6_000;

export interface EventParts {
  record: SessionRecord;
  roster: Roster;
  seals: SessionSeals;
  typing: TypingList;
  outbox: Outbox;
  timeline: () => Timeline;
  isReady: () => boolean;
  isMe: (id: string | null) => boolean;
  isMine: (message: Message) => boolean;
}

export class SessionEvents {
  constructor(
    private readonly id: string,
    private readonly parts: EventParts,
  ) {}

  /** An event that was added at the end of the timeline. */
  added(event: HubEvent): void {
    const { record, roster, outbox, timeline, isReady } = this.parts;
    record.follow(event);
    if (event.type === "message.created") this.arrived(event);
    else if (isSettlement(event)) this.settled(event);
    outbox.shown(this.id, timeline().last);
    if (event.type === "message.created") roster.authorHasRead(event);
    // Before, the list is read with the subscription.
    if (event.type.startsWith("participant.") && isReady()) void roster.load();
  }

  /** A frame that is on no timeline; whether somebody else than those who type changed. */
  signal(frame: Frame): boolean {
    const { roster, typing, isMe } = this.parts;
    if (frame.type === "typing") {
      const actor = frame.actor as Actor;
      const expires = typeof frame.expiresInMs === "number" ? frame.expiresInMs : TYPING_MS;
      if (!isMe(actor.id)) typing.set(actor, frame.typing === true, expires);
      return false;
    }
    if (frame.type === "presence") roster.presence(frame);
    else roster.receipt(frame);
    return true;
  }

  private arrived({ actor, data }: HubEvent): void {
    const { typing, outbox, seals, isMine } = this.parts;
    if (actor) typing.remove(actor);
    const message = (data?.message ?? null) as Message | null;
    if (!message) return;
    if (isMine(message)) outbox.arrived(message);
    seals.arrived([message]);
  }

  private settled({ type, data }: HubEvent): void {
    const { outbox, seals, timeline } = this.parts;
    const question = timeline().message(String(data?.messageId ?? ""));
    if (!question) return;
    if (type === "message.completed") seals.settled(question);
    outbox.questionSettled(question);
  }
}
