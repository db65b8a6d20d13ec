// The subscription to the timeline of one conversation: opens at its end, resumes after a lost connection, asks again
// where an event is missing, starts anew where the hub's log is another one, and says in which phase it is.
import { Backoff } from "../backoff.js";
import { HiloopError, isTransient, messageOf, NetworkError } from "../errors.js";
import type { HubSocket } from "../socket.js";
import type { Frame, HubEvent, Session } from "../types.js";
import { PAGE } from "./history.js";
import { Timeline } from "./timeline.js";

export interface SubscriptionOwner {
  readSession(): Promise<Session>;
  /** Whether the session was read, and not dropped since. */
  isRead(): boolean;
  /** The session was read; the subscription begins. */
  opening(): void;
  /** An event of the timeline, as the hub sent it. To be passed to `apply`. */
  event(received: HubEvent): void;
  signal(frame: Frame): void;
  /** The hub delivers events from now on, after the first or another connection. */
  subscribed(): void;
  /** The hub's database was restored: what is here is void, and follows again from the first event. */
  restored(): void;
  /** As `restored`, with the session: it is read anew. */
  dropped(): void;
  /** The hub has ended the subscription. */
  ended(): void;
  changed(): void;
}

export class SessionSubscription {
  phase: "loading" | "ready" | "failed" = "loading";
  error: string | null = null;
  /** Opening failed for a reason that may pass: it is tried again by itself. */
  retriesAt: number | null = null;
  timeline = new Timeline(0);
  /** The first event that the hub keeps. */
  oldest = 1;
  /** The last event that the hub had when the subscription began. */
  private head = 0;
  private isResyncing = false;
  private isStarting = false;
  private isDisposed = false;
  private unsubscribe: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly backoff = new Backoff(1_000, 30_000);

  constructor(
    private readonly id: string,
    private readonly socket: HubSocket,
    private readonly owner: SubscriptionOwner,
  ) {}

  /** Opens at the tail of the timeline; earlier pages come on demand. */
  async start(): Promise<void> {
    const { owner } = this;
    if (this.isStarting || this.isDisposed) return;
    this.isStarting = true;
    this.phase = "loading";
    this.error = null;
    this.retriesAt = null;
    if (this.timer !== null) clearTimeout(this.timer);
    owner.changed();
    let session: Session;
    try {
      session = await owner.readSession();
    } catch (error) {
      // Out of reach: started again with the next connection.
      if (error instanceof NetworkError || this.isDisposed) return;
      const isMissing = error instanceof HiloopError && error.status === 404;
      if (isTransient(error)) this.startLater();
      this.fail(isMissing ? "This conversation does not exist, or is not yours to see." : messageOf(error));
      return;
    } finally {
      this.isStarting = false;
    }
    if (this.isDisposed) return;
    this.backoff.reset();
    owner.opening();
    this.timeline = new Timeline(session.lastSeq - PAGE);
    this.subscribe();
    owner.changed();
  }

  /** Shows the end of a timeline that was kept, while the hub is out of reach; the next connection goes on after it. */
  showKept(events: readonly HubEvent[]): void {
    const [first] = events;
    if (!first || this.phase !== "loading" || !this.owner.isRead() || !this.timeline.isEmpty) return;
    this.timeline = new Timeline(first.seq - 1);
    for (const event of events) this.owner.event(event);
  }

  /** The connection is back: an interrupted start is tried again. */
  connected(): void {
    if (!this.owner.isRead() && (this.phase === "loading" || this.retriesAt !== null)) void this.start();
  }

  /** Adds an event to the timeline, if it is the next one; whether it was. */
  apply(event: HubEvent): boolean {
    const applied = this.timeline.apply(event);
    if (applied === "gap" && !this.isResyncing) {
      this.isResyncing = true;
      this.socket.resubscribe(this.id);
    }
    return applied === "new";
  }

  /** Ready once all events are here that there were when the subscription began. */
  checkReady(): void {
    if (this.timeline.last >= this.head) this.phase = "ready";
  }

  dispose(): void {
    this.isDisposed = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.unsubscribe?.();
  }

  private subscribe(): void {
    this.unsubscribe?.();
    this.unsubscribe = this.socket.subscribe(this.id, {
      after: () => this.timeline.last,
      event: (event) => this.owner.event(event),
      subscribed: (head, firstSeq, reset) => this.subscribed(head, firstSeq, reset),
      reset: () => this.startOver(),
      signal: (frame) => this.owner.signal(frame),
      ended: (reason) => {
        this.fail(`You no longer see this conversation (${reason}).`);
        this.owner.ended();
      },
    });
  }

  private subscribed(head: number, firstSeq: number | null, reset: boolean): void {
    this.isResyncing = false;
    this.head = head;
    const isLost = firstSeq !== null && firstSeq > this.timeline.last + 1;
    if (reset) {
      // The events follow from the first one that there is.
      this.timeline = new Timeline((firstSeq ?? 1) - 1);
      this.owner.restored();
    } else if (head < this.timeline.last || (isLost && !this.timeline.isEmpty)) {
      // The hub's log is not the one known here (a restored database, or retention): start anew.
      this.timeline = new Timeline(Math.max(head - PAGE, (firstSeq ?? 1) - 1));
      this.socket.resubscribe(this.id);
    }
    this.oldest = firstSeq ?? 1;
    this.checkReady();
    this.owner.subscribed();
  }

  /** The hub's database was restored to an earlier state: everything here is dropped and read anew. */
  private startOver(): void {
    this.unsubscribe = null;
    this.timeline = new Timeline(0);
    this.head = 0;
    this.owner.dropped();
    void this.start();
  }

  private startLater(): void {
    const wait = this.backoff.next();
    this.retriesAt = Date.now() + wait;
    this.timer = setTimeout(() => void this.start(), wait);
  }

  private fail(reason: string): void {
    this.phase = "failed";
    this.error = reason;
    this.unsubscribe?.();
    this.unsubscribe = null;
    this.owner.changed();
  }
}
