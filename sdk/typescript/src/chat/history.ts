// The earlier part of an open conversation: read where it is looked at, and dropped again far from there, so that the
// longest conversation takes no more memory than a short one.
import { HiloopError, messageOf, NetworkError } from "../errors.js";
import type { HubEvent, Message, TimelinePage } from "../types.js";
import { findEarlierRequests, readRange } from "./earlier-requests.js";
import type { Timeline } from "./timeline.js";

/** Events of a page, and those at the end that always stay. */
export const PAGE = 200;
/** From so many events on, those that are further than `KEPT` from what is looked at are dropped. */
export const MAX_LOADED = 3_000;
const KEPT = 900;
/** Questions whose state is read at a time. */
const READERS = 6;
/** After a failed reading, none happens by itself for a while. */
const PAUSE_MS = 3_000;

export interface HistorySource {
  timeline(): Timeline;
  /** The first event that the hub keeps. */
  oldest(): number;
  /** There is nothing before this event. */
  startsAt(seq: number): void;
  read(after: number, limit: number): Promise<TimelinePage>;
  message(id: string): Promise<Message>;
  /** How many messages wait for an answer in what is not loaded. */
  earlierRequests(): number;
  added(messages: readonly Message[]): void;
  dropped(messages: readonly Message[]): void;
  changed(): void;
  failed(reason: string): void;
}

export class History {
  loading = false;
  private lookedAt: { from: number; to: number; also: ReadonlySet<number> } | null = null;
  private held = 0;
  private pausedUntil = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly source: HistorySource) {}

  get hasOlder(): boolean {
    return this.source.timeline().first > this.source.oldest();
  }

  get isIncomplete(): boolean {
    return this.hasOlder || this.source.timeline().hasGaps;
  }

  /** Reads the page before the first event that is here. */
  async loadOlder(): Promise<void> {
    const { first } = this.source.timeline();
    if (this.hasOlder) await this.loadRange(first - PAGE, first - 1);
  }

  /** Reads a page at the end of a gap: of the last one, if none is named by its first event. */
  async loadGap(seq?: number): Promise<void> {
    const gap = this.source.timeline().entries().findLast((entry) => entry.kind === "gap" && (seq === undefined || entry.seq === seq));
    if (gap?.kind === "gap") await this.loadRange(gap.seq + gap.count - PAGE, gap.seq + gap.count - 1);
  }

  /** Reads what is not here of a range, unless something is being read. */
  async loadRange(from: number, to: number): Promise<void> {
    const timeline = this.source.timeline();
    let [first, last] = [Math.max(from, this.source.oldest()), Math.min(to, timeline.last)];
    while (first <= last && timeline.has(first)) first += 1;
    while (first <= last && timeline.has(last)) last -= 1;
    if (first <= last) await this.working(() => this.add(timeline, first, last));
  }

  /** As `loadRange`, for a view that asks again with every drawing. */
  look(from: number, to: number): void {
    if (Date.now() >= this.pausedUntil) void this.loadRange(from, to);
  }

  /** Loads a message with its surroundings; whether it is here then. */
  async loadMessage(id: string): Promise<boolean> {
    const timeline = this.source.timeline();
    if (timeline.message(id)) return true;
    await this.settled();
    return this.working(async () => {
      const seq = Number((await this.source.message(id)).seq);
      if (!Number.isSafeInteger(seq) || seq < 1) return false;
      const [from, to] = [Math.max(this.source.oldest(), seq - PAGE / 2), Math.min(timeline.last, seq + PAGE / 2 - 1)];
      if (from <= to) await this.add(timeline, from, to);
      return timeline.message(id) !== undefined;
    }, false);
  }

  /** Finds the messages that still wait for an answer further up, and loads what is around them. */
  async loadOpenRequests(): Promise<void> {
    const { source } = this;
    const timeline = source.timeline();
    if (source.earlierRequests() === 0) return;
    await this.working(() =>
      findEarlierRequests({
        timeline,
        oldest: source.oldest(),
        missing: () => source.earlierRequests(),
        read: (after, limit) => source.read(after, limit),
        add: (events) => this.insert(timeline, events),
      }),
    );
  }

  /** Loads what is earlier, page by page, as long as it is wanted, and keeps it during `work`. */
  async withEarlier(pages: number, isWanted: () => boolean, work: () => Promise<void> = async () => undefined): Promise<void> {
    this.held += 1;
    try {
      for (let page = 0, left = -1; page < pages && this.isIncomplete && isWanted() && left !== this.source.timeline().left; page += 1) {
        left = this.source.timeline().left;
        await this.settled();
        await (this.source.timeline().hasGaps ? this.loadGap() : this.loadOlder());
      }
      await work();
    } finally {
      this.held -= 1;
    }
  }

  /** Where the person is. `also`: further events that stay. */
  lookAt(from: number, to: number, also: ReadonlySet<number>): void {
    this.lookedAt = { from, to, also };
    this.trim();
  }

  /** Drops what is far from where the person is, once it is much. */
  trim(): void {
    const timeline = this.source.timeline();
    if (!this.lookedAt || this.held > 0 || this.loading || timeline.loaded <= MAX_LOADED) return;
    const { from, to, also } = this.lookedAt;
    const tail = timeline.last - PAGE;
    const dropped = timeline.trim((seq) => seq > tail || (seq >= from - KEPT && seq <= to + KEPT) || also.has(seq));
    this.source.dropped(dropped);
    this.source.changed();
  }

  /** The connection is back: what failed may be read at once. */
  connected(): void {
    this.pausedUntil = 0;
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Once nothing is being read. */
  private async settled(): Promise<void> {
    while (this.loading) await this.last;
  }

  private async working<T>(work: () => Promise<T>, otherwise?: T): Promise<T> {
    if (this.loading) return otherwise as T;
    this.loading = true;
    this.source.changed();
    const run = work().catch((error: unknown) => {
      if (!(error instanceof NetworkError)) this.source.failed(messageOf(error));
      this.pause();
      return otherwise as T;
    });
    this.last = run;
    const result = await run;
    this.loading = false;
    this.source.changed();
    return result;
  }

  private pause(): void {
    this.pausedUntil = Date.now() + PAUSE_MS;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => this.source.changed(), PAUSE_MS);
  }

  private async add(timeline: Timeline, from: number, to: number): Promise<void> {
    const isFirst = from < timeline.first && to + 1 >= timeline.first;
    const events = await readRange((after, limit) => this.source.read(after, limit), from - 1, to);
    await this.readStates(timeline, events, to + 1 >= timeline.tail);
    if (this.source.timeline() !== timeline) return;
    this.insert(timeline, events);
    // Retention has taken what was before it.
    if (isFirst && (events[0]?.seq ?? Infinity) > from) this.source.startsAt(timeline.first);
    else if (events.length === 0) this.pause();
  }

  private insert(timeline: Timeline, events: readonly HubEvent[]): void {
    const fresh = events.filter(({ seq }) => !timeline.has(seq));
    timeline.insert(fresh);
    this.source.added(
      fresh.flatMap(({ type, data }) => (type === "message.created" ? (timeline.message((data?.message as Message | undefined)?.id ?? "") ?? []) : [])),
    );
  }

  /** What became of the questions of a page, where the events that say so are in a gap after it. */
  private async readStates(timeline: Timeline, events: readonly HubEvent[], isAtTail: boolean): Promise<void> {
    timeline.settleBy(events);
    const asked = events.flatMap(({ type, data }) => (type === "message.created" && data?.message ? [data.message as Message] : []));
    const uncertain = asked.filter((message) => timeline.isUncertain(message, isAtTail));
    const readNext = async (): Promise<void> => {
      for (let one = uncertain.shift(); one; one = uncertain.shift()) {
        const now = await this.source.message(one.id).catch((error: unknown) => {
          if (error instanceof HiloopError && error.status === 404) return null;
          throw error;
        });
        if (!now) continue;
        if (now.status !== "Pending") timeline.settle(one.id, now.status, now.response);
        if (now.acknowledgedAt) timeline.acknowledge(one.id);
      }
    };
    await Promise.all(Array.from({ length: READERS }, readNext));
  }
}
