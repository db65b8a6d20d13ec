// One WebSocket to the hub: authentication, subscriptions that resume, liveness, reconnection.
import { Backoff } from "./backoff.js";
import { Emitter } from "./emitter.js";
import { SignedOutError } from "./errors.js";
import type { Actor, Frame, HubEvent } from "./types.js";

export type ConnectionState = "connecting" | "online" | "offline" | "ended";

/** The part of a WebSocket that is used: that of browsers, of the package `ws`, of a test. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string): void;
  close(code?: number): void;
}

/** Receives what a subscription to one session delivers. */
export interface SessionSink {
  /** The seq to resume after, read at every (re)connection; null for live events only. */
  after(): number | null;
  event(event: HubEvent): void;
  /** `reset`: `after` is beyond the newest event (a restored database); everything follows from the first event. */
  subscribed(head: number, firstSeq: number | null, reset: boolean): void;
  /** The hub's database was restored to an earlier state: drop everything. The subscription is gone. */
  reset(): void;
  /** Ephemeral frames: `typing`, `presence`, `receipt`. */
  signal(frame: Frame): void;
  /** Access was taken away, or the subscription was refused. */
  ended(reason: string): void;
}

export interface FeedSink {
  subscribed(): void;
  frame(frame: Frame): void;
}

export interface SocketOptions {
  token: () => Promise<string>;
  /** Where it is given, the token goes in a first frame, and the connection acts as this agent (null: the key's own). */
  agent?: string | null;
  /** Checks the credential over HTTP, after a handshake that failed without a reason. */
  verify: () => Promise<unknown>;
  /** Replaces an expired token. */
  refresh: (stale: string) => Promise<string>;
  connect: (protocols: string[]) => SocketLike;
  random?: () => number;
  now?: () => number;
  /** How long to wait for any frame after a `ping`. */
  pongMs?: number;
}

const PROTOCOL = "hiloop.v1";
const OPEN = 1;
const STABLE_MS = 10_000;
const HELLO_MS = 15_000;

/** The longest frame that is read, in characters. */
const MAX_FRAME = 2 * 1024 * 1024;

export class HubSocket extends Emitter {
  state: ConnectionState = "connecting";
  /** When the next attempt is due, by the local clock; null while none is planned. */
  retryAt: number | null = null;
  /** Why it ended for good. */
  endedReason: string | null = null;
  /** It ended because of the credential, not because of what this client sent. */
  endsAccess = false;
  principal: Actor | null = null;
  /** Grows with every `hello`. */
  connections = 0;

  private socket: SocketLike | null = null;
  /** The newest token known, and the one that the connection was opened with. */
  private token = "";
  private usedToken = "";
  private greeted = false;
  private nextId = 0;
  private readonly sessions = new Map<string, SessionSink>();
  private readonly pending = new Map<number, string>();
  private feed: FeedSink | null = null;
  private readonly backoff: Backoff;
  private goaway: [number, number] | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private idleTimer: ReturnType<typeof setTimeout> | null = null;
  private stableTimer: ReturnType<typeof setTimeout> | null = null;
  private heartbeatMs = 25_000;
  private stopped = false;

  constructor(private readonly options: SocketOptions) {
    super();
    this.backoff = new Backoff(500, 30_000, options.random);
  }

  start(): void {
    void this.open();
  }

  stop(): void {
    this.stopped = true;
    this.drop();
  }

  /** Skips the wait: the network is back, or the user asks for it. */
  reconnectNow(): void {
    if (this.stopped || this.state !== "offline" || this.retryTimer === null) return;
    void this.open();
  }

  /** Sends a fresh token over the open connection. */
  tokenChanged(token: string): void {
    this.token = token;
    if (this.greeted) this.send({ type: "refresh", id: this.id(), token });
    else this.reconnectNow();
  }

  subscribe(sessionId: string, sink: SessionSink): () => void {
    this.sessions.set(sessionId, sink);
    if (this.greeted) this.sendSubscribe(sessionId, sink);
    return () => {
      if (this.sessions.get(sessionId) !== sink) return;
      this.sessions.delete(sessionId);
      this.send({ type: "unsubscribe", id: this.id(), sessionId });
    };
  }

  /** Starts a subscription again from its `after`, where an event was found missing. */
  resubscribe(sessionId: string): void {
    const sink = this.sessions.get(sessionId);
    if (!sink || !this.greeted) return;
    this.send({ type: "unsubscribe", id: this.id(), sessionId });
    this.sendSubscribe(sessionId, sink);
  }

  subscribeFeed(sink: FeedSink): void {
    this.feed = sink;
    if (this.greeted) this.send({ type: "subscribe", id: this.id(), feed: true });
  }

  unsubscribeFeed(): void {
    if (this.feed) this.send({ type: "unsubscribe", id: this.id(), feed: true });
    this.feed = null;
  }

  /** Sends a frame if there is a connection; false if there is none, and the frame is dropped. */
  send(frame: object): boolean {
    if (!this.greeted || this.socket?.readyState !== OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  private async open(): Promise<void> {
    this.drop();
    this.become("connecting");
    let token: string;
    try {
      token = await this.options.token();
    } catch (error) {
      if (error instanceof SignedOutError) this.finish(error.message);
      else this.retry(this.backoff.next());
      return;
    }
    if (this.stopped || this.socket) return;
    this.token = this.usedToken = token;
    const { agent } = this.options;
    const socket = this.options.connect(agent === undefined ? [PROTOCOL, `hiloop.bearer.${token}`] : [PROTOCOL]);
    this.socket = socket;
    if (agent !== undefined) {
      socket.onopen = () => socket.send(JSON.stringify({ type: "auth", id: this.id(), token, ...(agent === null ? {} : { agent }) }));
    }
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket || typeof data !== "string") return;
      // No event of a hub is as large.
      if (data.length > MAX_FRAME) this.lost();
      else this.receive(data);
    };
    socket.onclose = ({ code }) => {
      if (this.socket === socket) this.closed(code);
    };
    // A close follows every error.
    socket.onerror = () => undefined;
    this.watch(HELLO_MS, () => this.lost());
  }

  private receive(data: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(data) as Frame;
    } catch {
      return;
    }
    if (this.greeted) this.watchIdle();
    switch (frame.type) {
      case "hello":
        return this.hello(frame);
      case "event": {
        const event = frame.event as HubEvent | null | undefined;
        if (typeof event !== "object" || event === null || typeof event.seq !== "number") return;
        return this.sessions.get(event.sessionId)?.event({ ...event, type: String(event.type) });
      }
      case "subscribed":
        if (frame.feed === true) return this.feed?.subscribed();
        this.pending.delete(Number(frame.id));
        return this.sessions
          .get(String(frame.sessionId))
          ?.subscribed(Number(frame.seq), typeof frame.firstSeq === "number" ? frame.firstSeq : null, frame.reset === true);
      case "feed":
        return this.feed?.frame(frame);
      case "typing":
      case "presence":
      case "receipt":
        return this.sessions.get(String(frame.sessionId))?.signal(frame);
      case "unsubscribed":
        if (typeof frame.reason === "string") this.unsubscribed(frame, frame.reason);
        return;
      case "error": {
        const sessionId = this.pending.get(Number(frame.id));
        if (sessionId === undefined) return;
        this.pending.delete(Number(frame.id));
        const { message } = (frame.error ?? {}) as { message?: string };
        return this.endSession(sessionId, message ?? "This conversation can't be followed.");
      }
      case "goaway":
        if (Array.isArray(frame.reconnectAfterMs)) this.goaway = frame.reconnectAfterMs as [number, number];
        return;
      default:
        return;
    }
  }

  private hello(frame: Frame): void {
    this.greeted = true;
    this.principal = (frame.principal ?? null) as Actor | null;
    if (typeof frame.heartbeatSeconds === "number" && frame.heartbeatSeconds > 0) {
      this.heartbeatMs = frame.heartbeatSeconds * 1000;
    }
    this.connections += 1;
    this.goaway = null;
    this.stableTimer = setTimeout(() => this.backoff.reset(), STABLE_MS);
    this.watchIdle();
    this.become("online");
    if (this.token !== this.usedToken) this.send({ type: "refresh", id: this.id(), token: this.token });
    if (this.feed) this.send({ type: "subscribe", id: this.id(), feed: true });
    for (const [sessionId, sink] of this.sessions) this.sendSubscribe(sessionId, sink);
  }

  private sendSubscribe(sessionId: string, sink: SessionSink): void {
    const id = this.id();
    const after = sink.after();
    const frame = { type: "subscribe", id, sessionId, ...(after === null ? {} : { after }) };
    if (this.send(frame)) this.pending.set(id, sessionId);
  }

  /** A subscription was ended by the hub. */
  private unsubscribed(frame: Frame, reason: string): void {
    if (frame.feed === true) {
      if (this.feed) this.send({ type: "subscribe", id: this.id(), feed: true });
      return;
    }
    const sessionId = String(frame.sessionId);
    if (reason !== "reset") return this.endSession(sessionId, REASONS.get(reason) ?? reason);
    const sink = this.sessions.get(sessionId);
    this.sessions.delete(sessionId);
    sink?.reset();
  }

  private endSession(sessionId: string, reason: string): void {
    const sink = this.sessions.get(sessionId);
    this.sessions.delete(sessionId);
    sink?.ended(reason);
  }

  /** Scripts can't see the hub's WebSocket pings, so this sends a `ping` frame of its own after some silence. */
  private watchIdle(): void {
    this.watch(this.heartbeatMs, () => {
      this.send({ type: "ping", id: this.id() });
      this.watch(this.options.pongMs ?? 10_000, () => this.lost());
    });
  }

  private watch(ms: number, then: () => void): void {
    if (this.idleTimer !== null) clearTimeout(this.idleTimer);
    this.idleTimer = setTimeout(then, ms);
  }

  /** The connection is dead: leave it without waiting for its close. */
  private lost(): void {
    const greeted = this.greeted;
    this.drop();
    this.reconnect(1006, greeted);
  }

  private closed(code: number): void {
    const greeted = this.greeted;
    this.drop();
    if (code >= 4400 && code <= 4499) {
      this.finish(END_REASONS.get(code) ?? "The hub ended the connection.", code === 4401 || code === 4403);
    } else {
      this.reconnect(code, greeted);
    }
  }

  private reconnect(code: number, greeted: boolean): void {
    const wait = this.goaway ? this.backoff.within(this.goaway) : this.backoff.next();
    this.goaway = null;
    this.retry(code === 4529 ? Math.max(wait, 5_000) : wait);
    if (code === 4504) {
      this.options.refresh(this.token).catch((error: unknown) => this.giveUpIfSignedOut(error));
    } else if (!greeted) {
      // WebSocket does not distinguish a refused handshake from a lost network; HTTP does.
      this.options.verify().catch((error: unknown) => this.giveUpIfSignedOut(error));
    }
  }

  private giveUpIfSignedOut(error: unknown): void {
    if (error instanceof SignedOutError) this.finish(error.message);
  }

  private retry(waitMs: number): void {
    if (this.stopped) return;
    this.retryAt = (this.options.now ?? Date.now)() + waitMs;
    this.retryTimer = setTimeout(() => void this.open(), waitMs);
    this.become("offline");
  }

  private finish(reason: string, endsAccess = true): void {
    if (this.stopped) return;
    this.drop();
    this.endsAccess = endsAccess;
    this.endedReason = reason;
    this.become("ended");
  }

  private drop(): void {
    for (const timer of [this.retryTimer, this.idleTimer, this.stableTimer]) if (timer !== null) clearTimeout(timer);
    this.retryTimer = this.idleTimer = this.stableTimer = null;
    this.retryAt = null;
    this.greeted = false;
    this.pending.clear();
    const socket = this.socket;
    this.socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    // The package `ws` reports the end of a handshake as an error, which must have a listener.
    socket.onerror = () => undefined;
    socket.close();
  }

  private become(state: ConnectionState): void {
    this.state = state;
    this.changed();
  }

  private id(): number {
    this.nextId += 1;
    return this.nextId;
  }
}

/** Why access to one conversation was taken away. */
const REASONS: ReadonlyMap<string, string> = new Map([
  ["removed", "you were removed from it"],
  ["retired", "it ended long ago and was deleted"],
]);

const END_REASONS: ReadonlyMap<number, string> = new Map([
  [4400, "The hub did not understand this page. Reload it to get the current version."],
  [4401, "Your sign-in is no longer valid. Please sign in again."],
  [4403, "Your access was revoked."],
]);
