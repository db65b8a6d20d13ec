// The live connection of one agent, shared by its readers: opened for the first one, closed after the last one.
// It carries hints only: readers read the hub's log where one is missing.
import { SignedOutError } from "../errors.js";
import type { Platform } from "../platform.js";
import { HubSocket, type SessionSink } from "../socket.js";
import type { Frame, HubEvent } from "../types.js";

export interface SessionReader {
  event(event: HubEvent): void;
  /** Subscribed, again after a reconnection: `head` is the newest seq of the session. */
  subscribed(head: number): void;
  /** The state of the connection or the subscription changed; `isLive` is the new one. */
  changed(): void;
}

export interface FeedReader {
  frame(frame: Frame): void;
  subscribed(): void;
  changed(): void;
}

export interface LiveOptions {
  baseUrl: string;
  apiKey: string;
  agentName: string | null;
  platform: Platform;
  /** Checks the key over HTTP. */
  verify: () => Promise<unknown>;
}

interface Topic {
  readers: Set<SessionReader>;
  isSubscribed: boolean;
  leave: () => void;
}

export class Live {
  private socket: HubSocket | null = null;
  private readonly topics = new Map<string, Topic>();
  private readonly feedReaders = new Set<FeedReader>();
  private feedIsSubscribed = false;

  constructor(private readonly options: LiveOptions) {}

  /** Whether every new event of the session will be pushed. */
  isLive(sessionId: string): boolean {
    return this.isOnline && (this.topics.get(sessionId)?.isSubscribed ?? false);
  }

  get feedIsLive(): boolean {
    return this.isOnline && this.feedIsSubscribed;
  }

  readSession(sessionId: string, reader: SessionReader): () => void {
    const topic = this.topics.get(sessionId) ?? this.openTopic(sessionId);
    topic.readers.add(reader);
    return () => {
      topic.readers.delete(reader);
      if (topic.readers.size > 0 || this.topics.get(sessionId) !== topic) return;
      this.topics.delete(sessionId);
      topic.leave();
      this.closeIfUnused();
    };
  }

  readFeed(reader: FeedReader): () => void {
    this.feedReaders.add(reader);
    if (this.feedReaders.size === 1) {
      this.open()?.subscribeFeed({
        subscribed: () => {
          this.feedIsSubscribed = true;
          for (const one of [...this.feedReaders]) one.subscribed();
        },
        frame: (frame) => {
          for (const one of [...this.feedReaders]) one.frame(frame);
        },
      });
    }
    return () => {
      this.feedReaders.delete(reader);
      if (this.feedReaders.size > 0) return;
      this.feedIsSubscribed = false;
      this.socket?.unsubscribeFeed();
      this.closeIfUnused();
    };
  }

  private get isOnline(): boolean {
    return this.socket?.state === "online";
  }

  private openTopic(sessionId: string): Topic {
    const topic: Topic = { readers: new Set(), isSubscribed: false, leave: () => undefined };
    this.topics.set(sessionId, topic);
    topic.leave = this.open()?.subscribe(sessionId, this.sink(sessionId, topic)) ?? (() => undefined);
    return topic;
  }

  private sink(sessionId: string, topic: Topic): SessionSink {
    const lost = (): void => {
      topic.isSubscribed = false;
      for (const reader of [...topic.readers]) reader.changed();
    };
    return {
      // The readers catch up over HTTP, each from where it is.
      after: () => null,
      event: (event) => {
        for (const reader of [...topic.readers]) reader.event(event);
      },
      subscribed: (head) => {
        topic.isSubscribed = true;
        for (const reader of [...topic.readers]) reader.subscribed(head);
      },
      signal: () => undefined,
      reset: () => {
        lost();
        if (this.topics.get(sessionId) === topic)
          topic.leave = this.socket?.subscribe(sessionId, this.sink(sessionId, topic)) ?? topic.leave;
      },
      // Access ended, or the connection has too many subscriptions: the next read over HTTP decides.
      ended: lost,
    };
  }

  /** Null on a platform without WebSocket. */
  private open(): HubSocket | null {
    const { baseUrl, apiKey, agentName, platform, verify } = this.options;
    const { WebSocket } = platform;
    if (this.socket || !WebSocket) return this.socket;
    const socket = new HubSocket({
      connect: (protocols) => new WebSocket(`${baseUrl.replace(/^http/, "ws")}/v1/ws`, protocols),
      agent: agentName,
      token: () => Promise.resolve(apiKey),
      refresh: () => Promise.reject(new SignedOutError("The API key has expired.")),
      verify,
      random: platform.random,
      now: platform.now,
    });
    socket.listen(() => this.socketChanged(socket));
    this.socket = socket;
    socket.start();
    return socket;
  }

  private socketChanged(socket: HubSocket): void {
    if (this.socket !== socket) return;
    if (socket.state !== "online") {
      this.feedIsSubscribed = false;
      for (const topic of this.topics.values()) topic.isSubscribed = false;
    }
    for (const topic of [...this.topics.values()]) for (const reader of [...topic.readers]) reader.changed();
    for (const reader of [...this.feedReaders]) reader.changed();
  }

  private closeIfUnused(): void {
    if (this.topics.size > 0 || this.feedReaders.size > 0) return;
    this.socket?.stop();
    this.socket = null;
  }
}
