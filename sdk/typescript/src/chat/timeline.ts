// One session's events in order, each once, and the messages that follow from them.
import type { HubEvent, Message, MessageResponse, MessageStatus, Participant } from "../types.js";

/** A line of the timeline: a message in its current state, or another event. */
export type Entry =
  | { kind: "message"; seq: number; message: Message }
  | { kind: "system"; seq: number; event: HubEvent };

export type Applied = "new" | "known" | "gap";

interface Settlement {
  status: MessageStatus;
  response: MessageResponse | null;
}

export class Timeline {
  /** Without a hole: `events[i].seq === first + i`. */
  private events: HubEvent[] = [];
  private readonly messages = new Map<string, Message>();
  /** The seq of the event that brought a message. */
  private readonly places = new Map<string, number>();
  private readonly settlements = new Map<string, Settlement>();
  private readonly acknowledged = new Set<string>();
  /** Every participant that was added, by id: some may have left. */
  private readonly people = new Map<string, Participant>();
  private cache: Entry[] | null = null;
  private base: number;
  private joined = false;

  /** `after`: the seq before the first event that will be asked for. */
  constructor(after: number) {
    this.base = Math.max(0, after);
  }

  /** The seq of the first event here, or of the one that would be. */
  get first(): number {
    return this.base + 1;
  }

  /** The seq of the last event here: what a subscription resumes after. */
  get last(): number {
    return this.base + this.events.length;
  }

  get isEmpty(): boolean {
    return this.events.length === 0;
  }

  apply(event: HubEvent): Applied {
    if (event.seq <= this.last) return "known";
    if (event.seq > this.last + 1) {
      // Retention may have taken the oldest ones: what it left is where this timeline starts.
      if (this.joined || this.events.length > 0) return "gap";
      this.base = event.seq - 1;
    }
    this.joined = true;
    this.events.push(event);
    this.take(event);
    this.cache = null;
    return "new";
  }

  /** Adds older events, as read by page; those that are here already are passed over. */
  prepend(older: HubEvent[]): void {
    const fresh = older.filter((event) => event.seq <= this.base).sort((a, b) => a.seq - b.seq);
    const tail: HubEvent[] = [];
    let next = this.base;
    for (let i = fresh.length - 1; i >= 0; i -= 1) {
      const event = fresh[i] as HubEvent;
      if (event.seq !== next) continue;
      tail.push(event);
      next -= 1;
    }
    this.events = [...tail.reverse(), ...this.events];
    this.base = next;
    for (const event of tail) this.take(event);
    this.cache = null;
  }

  /** Nothing older is kept by the hub. */
  startsHere(): void {
    this.joined = true;
  }

  entries(): readonly Entry[] {
    this.cache ??= this.events.flatMap((event) => this.entryOf(event));
    return this.cache;
  }

  message(id: string): Message | undefined {
    return this.messages.get(id);
  }

  /** Every loaded message, the oldest first. */
  all(): Message[] {
    return [...this.messages.values()].sort((a, b) => a.seq - b.seq);
  }

  wasAcknowledged(id: string): boolean {
    return this.acknowledged.has(id) || Boolean(this.messages.get(id)?.acknowledgedAt);
  }

  /** A participant that a loaded event added, by the id of the participant, human, guest or agent. */
  person(id: string): Participant | undefined {
    return this.people.get(id);
  }

  pending(): Message[] {
    return [...this.messages.values()].filter((message) => message.status === "Pending");
  }

  /** The newest loaded message. */
  lastMessage(): Message | undefined {
    for (let i = this.events.length - 1; i >= 0; i -= 1) {
      const event = this.events[i] as HubEvent;
      if (event.type === "message.created") return this.messages.get(messageOf(event)?.id ?? "");
    }
    return undefined;
  }

  /** A message is settled, by an event or by the reply to an answer that came too late. */
  settle(id: string, status: MessageStatus, response: MessageResponse | null): void {
    const known = this.settlements.get(id);
    this.settlements.set(id, { status, response: response ?? known?.response ?? null });
    const message = this.messages.get(id);
    if (message) this.messages.set(id, this.overlay(message));
    this.cache = null;
  }

  private take(event: HubEvent): void {
    const id = typeof event.data?.messageId === "string" ? event.data.messageId : messageOf(event)?.id;
    switch (event.type) {
      case "message.created": {
        const message = messageOf(event);
        // What a message says never changes: one that comes again under its id is not shown.
        if (message && !this.messages.has(message.id)) {
          this.messages.set(message.id, this.overlay(message));
          this.places.set(message.id, event.seq);
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

  private entryOf(event: HubEvent): Entry[] {
    if (event.type === "message.created") {
      const message = this.messages.get(messageOf(event)?.id ?? "");
      return message && this.places.get(message.id) === event.seq ? [{ kind: "message", seq: event.seq, message }] : [];
    }
    // Shown on the message that was answered, and by the answer itself.
    if (event.type === "message.completed") return [];
    return [{ kind: "system", seq: event.seq, event }];
  }
}

function messageOf(event: HubEvent): Message | null {
  const message = event.data?.message;
  return typeof message === "object" && message !== null ? (message as Message) : null;
}
