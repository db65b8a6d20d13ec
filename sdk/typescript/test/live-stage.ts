// The set-up of the tests of an open conversation: a person at a chat page, over a socket and calls that a test answers.
import { test as base, vi } from "vitest";
import { sealPlain } from "../src/envelope.js";
import { LiveSession } from "../src/chat/live-session.js";
import { Rest } from "../src/chat/rest.js";
import { HubSocket } from "../src/socket.js";
import type { HubEvent } from "../src/types.js";
import { type Call, created, fakeFetch, FakeSocket, settle } from "./fakes.js";

/** What an item of the outbox takes from its writing to its reply. */
export const ROUNDS = 200;

export const alex = { id: "p-alex", type: "Human", humanId: "alex", guestId: null, name: "Alex", online: false, lastReadSeq: 0 };

export const byAlex = (seq: number): HubEvent => created(seq, { senderType: "Human", senderAgentId: null, senderHumanId: "alex" });

export const asked = (seq: number, fields = {}): HubEvent => created(seq, { responseRequired: true, status: "Pending", ...fields });

export const mine = (seq: number, text: string): HubEvent =>
  created(seq, { senderType: "Human", senderAgentId: null, senderHumanId: "me", encryptedContent: sealPlain({ text }) });

export class LiveStage {
  socket!: FakeSocket;
  /** The last event of the conversation at the hub. */
  head = 3;
  /** The participants that the hub lists, once `listed` is settled. */
  people: object[] = [];
  listed: Promise<void> = Promise.resolve();
  /** What the hub says of the session. */
  pending = 0;
  sessionStatus = 200;
  /** What the hub replies to what is sent, and to the reading of a message. */
  post: (call: Call) => { status: number; body?: unknown } = () => ({ status: 500 });
  question: object = {};
  /** The events of pages that are read. */
  events: (seq: number) => HubEvent = created;
  private readonly fetcher = fakeFetch((call) => this.reply(call));
  private readonly tokens = { token: async () => "T", refresh: async () => "T" };
  readonly calls = this.fetcher.calls;
  readonly rest = new Rest(this.tokens, this.fetcher);
  readonly hub = new HubSocket({
    ...this.tokens,
    verify: async () => undefined,
    connect: (protocols) => (this.socket = new FakeSocket(protocols)),
    random: () => 1,
  });
  readonly live = new LiveSession("s", this.rest, this.hub, (id) => id === "me");

  async connect(): Promise<void> {
    this.hub.start();
    await settle();
    this.socket.hello();
  }

  /** Opens the conversation with these events. */
  async open(events = [created(1), created(2), created(3)]): Promise<void> {
    await this.live.start();
    this.socket.say({ type: "subscribed", id: 1, sessionId: "s", seq: this.head, replay: events.length, firstSeq: 1 });
    for (const one of events) this.socket.say({ type: "event", event: one });
    await settle();
  }

  dispose(): void {
    this.live.dispose();
    this.hub.stop();
  }

  private async reply(call: Call): Promise<{ status: number; body?: unknown }> {
    if (call.method === "POST") return this.post(call);
    if (call.path.endsWith("/participants")) {
      const data = this.people;
      await this.listed;
      return { status: 200, body: { data, total: data.length, page: 1, pageSize: 100 } };
    }
    if (call.path.endsWith("/timeline")) {
      const after = Number(call.query.get("after"));
      const limit = Number(call.query.get("limit"));
      const data = Array.from({ length: limit }, (_, i) => this.events(after + 1 + i));
      return { status: 200, body: { data, lastSeq: this.head, hasMore: true } };
    }
    if (/\/messages\/[^/]+$/.test(call.path)) return { status: 200, body: this.question };
    return { status: this.sessionStatus, body: { id: "s", status: "Active", lastSeq: this.head, pendingCount: this.pending, title: "T" } };
  }
}

/** A test of an open conversation, on paused time. */
export const test = base.extend<{ stage: LiveStage }>({
  stage: async ({ task: _ }, use) => {
    vi.useFakeTimers();
    const stage = new LiveStage();
    await stage.connect();
    await use(stage);
    stage.dispose();
    vi.useRealTimers();
  },
});
