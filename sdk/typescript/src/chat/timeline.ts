// One session's events in order, each once, and the messages that follow from them.
import type { HubEvent, Message, MessageResponse, MessageStatus, Participant } from "../types.js";
import { ReplyIndex } from "./reply-index.js";
import { SeqRanges } from "./seq-ranges.js";

/** A line of the timeline: a message in its current state, another event, or a place where events are not loaded. */
export type Entry =
  | { kind: "message"; seq: number; message: Message }
  | { kind: "system"; seq: number; event: HubEvent }
  | { kind: "gap"; seq: number; count: number };

/** Events without a hole: `events[i].seq === base + 1 + i`. */
interface Part {
  base: number;
  events: HubEvent[];
}

export type Applied = "new" | "known" | "gap";

interface Settlement {
  status: MessageStatus;
  response: MessageResponse | null;
  /** Only the status is left: the rest was dropped with its event. */
  isPartial?: boolean;
}

export class Timeline {
  /** In order, with a gap between any two. The last one reaches to the end. */
  private parts: Part[];
  private readonly messages = new Map<string, Message>();
  /** The seq of the event that brought a message. */
  private readonly places = new Map<string, number>();
  /** The loaded messages that name another one, by its id. */
  private readonly replies = new ReplyIndex();
  private readonly settlements = new Map<string, Settlement>();
  private readonly acknowledged = new Set<string>();
  /** Every participant that was added, by id: some may have left. */
  private readonly people = new Map<string, Participant>();
  /** The loaded messages that wait for an answer. */
  private readonly open = new Set<string>();
  /** Every event that was here, dropped ones included. */
  private readonly seen = new SeqRanges();
  private cache: Entry[] | null = null;
  private joined = false;

  /** `after`: the seq before the first event that will be asked for. */
  constructor(after: number) {
    this.parts = [{ base: Math.max(0, after), events: [] }];
  }

  /** The seq of the first event here, or of the one that would be. */
  get first(): number {
    return this.parts[0]!.base + 1;
  }

  /** The seq of the first event from which on there is no gap. */
  get tail(): number {
    return this.end.base + 1;
  }

  /** The seq of the last event here: what a subscription resumes after. */
  get last(): number {
    return endOf(this.end);
  }

  get isEmpty(): boolean {
    return this.end.events.length === 0;
  }

  /** How many events before the end are not here. */
  get left(): number {
    return this.last - this.loaded;
  }

  get hasGaps(): boolean {
    return this.parts.length > 1;
  }

  /** How many events are here. */
  get loaded(): number {
    return this.parts.reduce((sum, { events }) => sum + events.length, 0);
  }

  get hasMessages(): boolean {
    return this.messages.size > 0;
  }

  /** Whether every event from `seq` to the end is here, or was. */
  wasSeenFrom(seq: number): boolean {
    return this.seen.covers(seq, this.last);
  }

  apply(event: HubEvent): Applied {
    if (event.seq <= this.last) return "known";
    if (event.seq > this.last + 1) {
      // Retention may have taken the oldest ones: what it left is where this timeline starts.
      if (this.joined || !this.isEmpty) return "gap";
      this.end.base = event.seq - 1;
    }
    this.joined = true;
    this.end.events.push(event);
    this.seen.add(event.seq);
    this.take(event);
    this.cache = null;
    return "new";
  }

  /** Adds older events, as read by page; those that are here already are passed over. */
  prepend(older: readonly HubEvent[]): void {
    const [first] = this.parts as [Part];
    const fresh = older.filter((event) => event.seq <= first.base).sort((a, b) => a.seq - b.seq);
    let from = fresh.length;
    while (from > 0 && fresh[from - 1]!.seq === first.base - (fresh.length - from)) from -= 1;
    this.add(fresh.slice(from));
  }

  /** Adds events from anywhere before the end: within a gap, or before everything. */
  insert(events: readonly HubEvent[]): void {
    this.add(events.filter(({ seq }) => seq <= this.end.base && !this.has(seq)).sort((a, b) => a.seq - b.seq));
  }

  /** What events that are not shown have settled. */
  settleBy(events: readonly HubEvent[]): void {
    for (const event of events) if (event.type !== "message.created") this.take(event);
    this.cache = null;
  }

  has(seq: number): boolean {
    return this.parts.some((part) => seq > part.base && seq <= endOf(part));
  }

  /** Nothing older is kept by the hub. */
  startsHere(): void {
    this.joined = true;
  }

  /** The same array until something changes. */
  entries(): readonly Entry[] {
    if (this.cache) return this.cache;
    const entries: Entry[] = [];
    this.parts.forEach((part, i) => {
      const before = this.parts[i - 1];
      if (before) entries.push({ kind: "gap", seq: endOf(before) + 1, count: part.base - endOf(before) });
      for (const event of part.events) {
        const entry = this.entryOf(event);
        if (entry) entries.push(entry);
      }
    });
    this.cache = entries;
    return entries;
  }

  message(id: string): Message | undefined {
    return this.messages.get(id);
  }

  /** The loaded messages that the hub names as replies to this one. */
  repliesTo(id: string): Message[] {
    return this.replies.get(id).flatMap((one) => this.messages.get(one) ?? []);
  }

  /** Every loaded message, the oldest first. Costs as much as there are: not for drawing. */
  all(): Message[] {
    return [...this.messages.values()].sort((a, b) => a.seq - b.seq);
  }

  /** Whether an event that was read has settled a message, loaded or not. */
  isSettled(id: string): boolean {
    return this.settlements.has(id);
  }

  wasAcknowledged(id: string): boolean {
    return this.acknowledged.has(id) || Boolean(this.messages.get(id)?.acknowledgedAt);
  }

  /** A participant that a loaded event added, by the id of the participant, human, guest or agent. */
  person(id: string): Participant | undefined {
    return this.people.get(id);
  }

  /** The loaded messages that wait for an answer, the oldest first. */
  pending(): Message[] {
    return [...this.open].map((id) => this.messages.get(id) as Message).sort((a, b) => a.seq - b.seq);
  }

  /**
   * Whether it is unknown what became of a question that a page brings: its event says how it was when it was asked.
   * `isAtTail`: everything after the page is here.
   */
  isUncertain({ id, responseRequired }: Message, isAtTail: boolean): boolean {
    const settled = this.settlements.get(id);
    return settled?.isPartial === true || (responseRequired && !settled && !isAtTail && !this.open.has(id));
  }

  /** The agent has taken the outcome, as the hub said outside of an event. */
  acknowledge(id: string): void {
    this.acknowledged.add(id);
  }

  /**
   * Drops the events that are not to be kept, and returns their messages. The last event stays, and messages that wait
   * for an answer do.
   */
  trim(keep: (seq: number) => boolean): Message[] {
    const dropped: Message[] = [];
    const parts: Part[] = [];
    const { last } = this;
    for (const { base, events } of this.parts) {
      let part: Part | null = null;
      for (const [i, event] of events.entries()) {
        const seq = base + 1 + i;
        const id = event.type === "message.created" ? messageOf(event)?.id : undefined;
        if (seq === last || keep(seq) || (id !== undefined && this.open.has(id))) {
          if (!part) parts.push((part = { base: seq - 1, events: [] }));
          part.events.push(event);
          continue;
        }
        part = null;
        const message = id !== undefined && this.places.get(id) === seq ? this.messages.get(id) : undefined;
        if (message) dropped.push(message);
      }
    }
    // An empty end is where the next event is expected.
    if (parts.length > 0) this.parts = parts;
    for (const { id, inReplyTo } of dropped) {
      this.messages.delete(id);
      this.replies.delete(inReplyTo, id);
      this.places.delete(id);
      this.acknowledged.delete(id);
    }
    for (const [id, { status, isPartial }] of this.settlements) {
      if (!isPartial && !this.messages.has(id)) this.settlements.set(id, { status, response: null, isPartial: true });
    }
    this.cache = null;
    return dropped;
  }

  /** The newest loaded message. */
  lastMessage(): Message | undefined {
    const { events } = this.end;
    for (let i = events.length - 1; i >= 0; i -= 1) {
      const event = events[i] as HubEvent;
      if (event.type === "message.created") return this.messages.get(messageOf(event)?.id ?? "");
    }
    return undefined;
  }

  /** A message is settled, by an event or by the reply to an answer that came too late. */
  settle(id: string, status: MessageStatus, response: MessageResponse | null): void {
    const known = this.settlements.get(id);
    this.settlements.set(id, { status, response: response ?? known?.response ?? null });
    const message = this.messages.get(id);
    if (message) this.put(this.overlay(message));
    this.cache = null;
  }

  private get end(): Part {
    return this.parts[this.parts.length - 1] as Part;
  }

  /** Sorted events, none of them here yet. Parts that now touch become one. */
  private add(events: readonly HubEvent[]): void {
    if (events.length === 0) return;
    const fresh = new Set<Part>();
    for (const event of events) {
      const last = this.parts.at(-1) as Part;
      if (fresh.has(last) && event.seq === endOf(last) + 1) last.events.push(event);
      else fresh.add(this.parts[this.parts.push({ base: event.seq - 1, events: [event] }) - 1] as Part);
      this.seen.add(event.seq);
      this.take(event);
    }
    const parts = this.parts.sort((a, b) => a.base - b.base);
    this.parts = parts.slice(0, 1);
    for (const part of parts.slice(1)) {
      const last = this.end;
      if (part.base > endOf(last)) this.parts.push(part);
      else last.events = last.events.concat(part.events);
    }
    this.cache = null;
  }

  private take(event: HubEvent): void {
    const id = typeof event.data?.messageId === "string" ? event.data.messageId : messageOf(event)?.id;
    switch (event.type) {
      case "message.created": {
        const message = messageOf(event);
        // What a message says never changes: one that comes again under its id is not shown.
        if (message && !this.messages.has(message.id)) {
          this.put(this.overlay(message));
          this.places.set(message.id, event.seq);
          this.replies.add(message.inReplyTo, message.id);
        }
        return;
      }
      case "message.completed":
        if (id) this.settle(id, "Completed", (event.data?.response ?? null) as MessageResponse | null);
        return;
      case "message.cancelled":
        if (id) this.settle(id, "Cancelled", null);
        return;
      case "message.expired":
        if (id) this.settle(id, "Expired", null);
        return;
      case "message.acknowledged":
        if (id) this.acknowledged.add(id);
        return;
      case "session.created":
        for (const one of Array.isArray(event.data?.participants) ? event.data.participants : []) this.meet(one);
        return;
      case "participant.added":
        this.meet(event.data?.participant);
        return;
      default:
        return;
    }
  }

  private put(message: Message): void {
    this.messages.set(message.id, message);
    if (message.status === "Pending") this.open.add(message.id);
    else this.open.delete(message.id);
  }

  private meet(value: unknown): void {
    if (typeof value !== "object" || value === null) return;
    const one = value as Participant;
    for (const id of [one.id, one.humanId, one.guestId, one.agentId]) if (id) this.people.set(id, one);
  }

  /** What is settled stays so, whichever of the two events was read first. */
  private overlay(message: Message): Message {
    const settled = this.settlements.get(message.id);
    if (!settled) return message;
    const response = settled.response ?? message.response;
    return { ...message, status: settled.status, response, outcome: response?.outcome ?? message.outcome ?? null };
  }

  private entryOf(event: HubEvent): Entry | null {
    if (event.type === "message.created") {
      const message = this.messages.get(messageOf(event)?.id ?? "");
      return message && this.places.get(message.id) === event.seq ? { kind: "message", seq: event.seq, message } : null;
    }
    // Shown on the message that was answered, and by the answer itself.
    if (event.type === "message.completed") return null;
    return { kind: "system", seq: event.seq, event };
  }
}

function endOf({ base, events }: Part): number {
  return base + events.length;
}

function messageOf(event: HubEvent): Message | null {
  const message = event.data?.message;
  return typeof message === "object" && message !== null ? (message as Message) : null;
}
