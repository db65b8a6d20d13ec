// A person at a chat page, an agent and another person with devices of their own, and a hub in between that lies as a
// test wants it.
import { vi } from "vitest";
import { LiveSession } from "../src/chat/live-session.js";
import { openedOf, type ReadMessage } from "../src/chat/opened.js";
import type { Outbox } from "../src/chat/outbox.js";
import { Rest } from "../src/chat/rest.js";
import { SessionSeals } from "../src/chat/session-seals.js";
import { MemoryRecords } from "../src/chat-e2e/records.js";
import { SealedChat } from "../src/chat-e2e/sealed-chat.js";
import { Device, KeyPair, KeyRing, makeEntry, MemoryKeyStore, Pins } from "../src/e2e/index.js";
import { HubSocket } from "../src/socket.js";
import type { Envelope, HubEvent, Message, MessageResponse, Participant, Session } from "../src/types.js";
import { type Call, fakeFetch, FakeSocket, settle } from "./fakes.js";

const id = (last: string): string => `01890a5d-ac96-774b-bcce-b302099a8${last}`;
export const [PERSON, AGENT, ADA, GHOST] = [id("001"), id("002"), id("003"), id("004")] as [string, string, string, string];
let sessions = 0;

/** Waits for what encryption takes, also on a busy machine. */
export const eventually = <T>(check: () => T | Promise<T>): Promise<T> => vi.waitFor(check, 30_000);

export class Stage {
  /** A new one each time: what is known of a conversation outlives a test. */
  readonly session = id(String(100 + (sessions += 1)));
  readonly keys = { [PERSON]: KeyPair.generate(), [AGENT]: KeyPair.generate(), [ADA]: KeyPair.generate(), [GHOST]: KeyPair.generate() };
  readonly records = new MemoryRecords();
  readonly store = new MemoryKeyStore();
  readonly roster = [this.member(AGENT, "Agent", "bot"), this.member(PERSON, "Human", "Mira"), this.member(ADA, "Human", "Ada")];
  readonly messages: Message[] = [];
  readonly chat = this.page();
  private readonly devices = new Map<string, Device>();

  /** The page, opened anew by the same browser. */
  page(): SealedChat {
    const rest = { participants: async () => this.roster, keys: async () => [], send: async (_: string, body: object) => this.shared(body) };
    const own = { principalId: PERSON, keys: new KeyRing(this.keyOf(PERSON)), store: this.store, records: this.records };
    const chat = new SealedChat({ ...own, rest, newKey: () => "k" });
    chat.participants(this.session, this.roster);
    return chat;
  }

  /** What `share` has sent. */
  readonly sent: { encryptedContent?: Envelope }[] = [];
  private shared(body: object): Message {
    this.sent.push(body);
    return { id: `shared-${this.sent.length}`, seq: 1_000 } as Message;
  }

  keyOf(principal: string): KeyPair {
    return this.keys[principal] as KeyPair;
  }

  member(principal: string, type: Participant["type"], name: string): Participant {
    const ids = { agentId: null, humanId: null, guestId: null, [`${type.toLowerCase()}Id`]: principal };
    const key = makeEntry(principal, this.keyOf(principal));
    const rest = { role: null, invitedBy: null, lastReadSeq: 0, online: true, addedAt: "" };
    return { id: `p-${principal}`, sessionId: this.session, type, name, key, ...ids, ...rest };
  }

  device(principal: string): Device {
    let device = this.devices.get(principal);
    if (!device) {
      device = new Device({ principalId: principal, keys: new KeyRing(this.keyOf(principal)), pins: new Pins({ store: new MemoryKeyStore() }) });
      this.devices.set(principal, device);
    }
    return device;
  }

  seal(from: string, kind: "message" | "question" | "answer" | "title", plain: object, { parent = null as string | null, session = this.session, deadlineAt = null as string | null, to = [PERSON, ADA, AGENT] } = {}) {
    const recipients = to.map((principalId) => ({ principalId, keys: this.keyOf(principalId) }));
    return this.device(from).seal({ kind, session, plain, parent, deadlineAt, answerers: [PERSON, ADA], to: recipients });
  }

  message(envelope: Envelope | null, fields: Partial<Message> = {}): Message {
    const seq = this.messages.length + 1;
    const at = new Date().toISOString();
    const message: Message = {
      id: `m${seq}`, sessionId: this.session, seq, senderType: "Agent", senderAgentId: AGENT, senderHumanId: null, senderGuestId: null,
      senderName: "bot", encryptedContent: envelope, encryptedComponents: null, responseRequired: false, status: "Completed",
      priority: "Medium", deadlineAt: null, answerers: null, inReplyTo: null, response: null, createdAt: at, updatedAt: at, ...fields,
    };
    this.messages.push(message);
    return message;
  }

  async question(title: string, fields: Partial<Message> = {}): Promise<Message> {
    const { envelope } = await this.seal(AGENT, "question", { components: { type: "approval", data: { title } } });
    return this.message(envelope, { responseRequired: true, status: "Pending", answerers: [PERSON, ADA], ...fields });
  }

  /** As the hub says it. */
  by(name: string, from: string, envelope: Envelope | null): MessageResponse {
    return { messageId: `a-${name}`, respondedBy: { type: "Human", id: from, name }, respondedAt: "2026-03-25T10:30:00.000Z", encryptedContent: envelope, encryptedComponents: null };
  }

  seals(session: Partial<Session> | null = null): SessionSeals {
    return new SessionSeals(this.session, {
      session: () => session as Session | null,
      message: (one) => this.messages.find((message) => message.id === one),
      messages: () => this.messages,
      hasMessages: () => true,
      participants: () => this.roster,
      changed: () => undefined,
    });
  }

  /** Everything that has arrived is opened. */
  async opened(seals: SessionSeals): Promise<(ReadMessage | undefined)[]> {
    seals.arrived(this.messages);
    await seals.readAudience();
    await seals.settle();
    await seals.settle();
    return this.messages.map(openedOf);
  }

  /** What the hub answers in place of what it should: null where it is honest. */
  reply: (call: Call) => { status: number; body?: unknown } | null = () => null;

  /** A conversation that is open at the page, over a socket and calls that the test answers. */
  async live(session: Partial<Session>, events: HubEvent[] = [], { outbox = undefined as Outbox | undefined, head = events.length } = {}): Promise<Live> {
    let socket!: FakeSocket;
    const posts: Call[] = [];
    const fetcher = fakeFetch((call) => {
      if (call.method === "POST") posts.push(call);
      const lie = this.reply(call);
      if (lie) return lie;
      if (call.method === "POST") return { status: 201, body: { id: "posted", sessionId: this.session, seq: 99 } };
      if (call.path.endsWith("/participants")) return { status: 200, body: { data: this.roster, total: this.roster.length, page: 1, pageSize: 100 } };
      return { status: 200, body: { id: this.session, status: "Active", lastSeq: head, pendingCount: 0, title: null, encryptedTitle: null, ...session } };
    });
    const tokens = { token: async () => "T", refresh: async () => "T" };
    const hub = new HubSocket({ ...tokens, verify: async () => undefined, connect: (protocols) => (socket = new FakeSocket(protocols)) });
    const rest = new Rest(tokens, fetcher);
    const live = new LiveSession(this.session, rest, hub, (one) => one === PERSON, outbox);
    hub.start();
    await settle();
    socket.hello();
    await live.start();
    socket.say({ type: "subscribed", id: 1, sessionId: this.session, seq: head, replay: events.length, firstSeq: 1 });
    for (const event of events) socket.say({ type: "event", event });
    return { live, posts, socket, rest };
  }

  created(message: Message, seq = message.seq): HubEvent {
    return { sessionId: this.session, seq, type: "message.created", at: message.createdAt, actor: null, data: { message } };
  }
}

export interface Live {
  live: LiveSession;
  posts: Call[];
  socket: FakeSocket;
  rest: Rest;
}

export const sealed = (call: Call | undefined): boolean => (call?.body.encryptedContent as Envelope | undefined)?.scheme === "hiloop/v2";
