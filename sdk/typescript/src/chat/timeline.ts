// One session's events in order, each once, and the messages that follow from them.
import type { HubEvent, Message, MessageResponse, MessageStatus, Participant } from "../types.js";

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
}

export class Timeline {
  /** In order, with a gap between any two. The last one reaches to the end. */
  private parts: Part[];
  private readonly messages = new Map<string, Message>();
  /** The seq of the event that brought a message. */
  private readonly places = new Map<string, number>();
  private readonly settlements = new Map<string, Settlement>();
  private readonly acknowledged = new Set<string>();
  /** Every participant that was added, by id: some may have left. */
  private readonly people = new Map<string, Participant>();
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
    return this.last - this.parts.reduce((sum, { events }) => sum + events.length, 0);
  }

  get hasGaps(): boolean {
    return this.parts.length > 1;
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

  entries(): readonly Entry[] {
    this.cache ??= this.parts.flatMap((part, i) => {
      const before = this.parts[i - 1];
      const gap: Entry[] = before ? [{ kind: "gap", seq: endOf(before) + 1, count: part.base - endOf(before) }] : [];
      return [...gap, ...part.events.flatMap((event) => this.entryOf(event))];
    });
    return this.cache;
  }

  message(id: string): Message | undefined {
    return this.messages.get(id);
  }

  /** Every loaded message, the oldest first. */
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

  pending(): Message[] {
    return [...this.messages.values()].filter((message) => message.status === "Pending");
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
    if (message) this.messages.set(id, this.overlay(message));
    this.cache = null;
  }

  private get end(): Part {
    return this.parts[this.parts.length - 1] as Part;
  }

  /** Sorted events, none of them here yet. Parts that now touch become one. */
  private add(events: readonly HubEvent[]): void {
    if (events.length === 0) return;
    for (const event of events) {
      this.parts.push({ base: event.seq - 1, events: [event] });
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

function endOf({ base, events }: Part): number {
  return base + events.length;
}

function messageOf(event: HubEvent): Message | null {
  const message = event.data?.message;
  return typeof message === "object" && message !== null ? (message as Message) : null;
}
