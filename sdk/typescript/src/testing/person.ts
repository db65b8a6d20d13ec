// The other side of a conversation, for tests and bots: a person (or guest) who opens questions and answers them.
import { Device } from "../e2e/device.js";
import { Directory, type Member } from "../e2e/directory.js";
import { checkedEntry, makeEntry } from "../e2e/entries.js";
import { KeyPair, KeyRing } from "../e2e/keys.js";
import type { OpenedMessage } from "../e2e/messages.js";
import { Pins } from "../e2e/pins.js";
import { Sealer } from "../e2e/sealer.js";
import { type KeyStore, type KeyStoreOpener, MemoryKeyStore } from "../e2e/store.js";
import { outcomeOf, sealPlain } from "../envelope.js";
import { HiloopError } from "../errors.js";
import { Http, newKey } from "../http.js";
import type {
  ComponentNode,
  Content,
  FeedItem,
  HubEvent,
  LoginReply,
  Message,
  Outcome,
  Page,
  Participant,
  Session,
  TimelinePage,
} from "../types.js";

export interface PersonOptions {
  baseUrl: string;
  /** To sign in with. */
  email?: string | undefined;
  password?: string | undefined;
  /** Instead: a JWT, or the token of a guest. */
  token?: string | undefined;
  /** base64url of 64 bytes; else of the key store, else new ones. */
  secretKey?: string | undefined;
  keyStore?: KeyStore | KeyStoreOpener | undefined;
  /** Replaces the keys that the hub names: as one who has lost them does. */
  replace?: boolean | undefined;
  fetch?: typeof fetch | undefined;
  now?: (() => number) | undefined;
}

export interface PendingQuestion {
  message: Message;
  opened: OpenedMessage;
  /** Of its component, else of the session. */
  title: string | null;
  text: string | null;
}

export interface AnswerInput {
  action?: string | undefined;
  text?: string | undefined;
  values?: Record<string, unknown> | undefined;
  /** Follows from `action` unless given. */
  outcome?: Outcome | undefined;
  /** False for a remark or a question back. */
  settles?: boolean | undefined;
}

const PAGE_SIZE = 100;

export class Person {
  private constructor(
    readonly id: string,
    readonly device: Device,
    private readonly http: Http,
    private readonly sealer: Sealer,
  ) {}

  /** Signs in, and publishes the person's keys where the hub has none. */
  static async signIn(options: PersonOptions): Promise<Person> {
    const { baseUrl, fetch: fetcher = globalThis.fetch, secretKey, now } = options;
    const token = options.token ?? (await login(options));
    const http = new Http({
      baseUrl: baseUrl.replace(/\/+$/, "").replace(/\/v1$/, ""),
      fetch: (input, init) => fetcher(input, init),
      credential: { headers: () => Promise.resolve({ authorization: `Bearer ${token}` }) },
      retry: (error, attempt) =>
        (error.status === 429 || error.status >= 500 || error.status === 0) && attempt < 20 ? 100 * (attempt + 1) : null,
      timeoutMs: 60_000,
    });
    const me = await http.call<{ id: string; key?: unknown }>("GET", "/v1/human/me");
    const keyStore = await storeOf(options, me.id);
    const keys = await keysOf(keyStore, secretKey);
    const published = checkedEntry(me.id, me.key)?.keyId;
    const replace = options.replace ? { replace: true } : {};
    const isOther = published !== keys.current.keyId;
    if (published === undefined || (isOther && options.replace)) {
      await http.call("PUT", "/v1/human/public-key", { body: { ...makeEntry(me.id, keys.current), ...replace } });
    } else if (isOther) throw new HiloopError(409, "KEY_EXISTS", "The hub names another key of this person");
    const device = new Device({ principalId: me.id, keys, pins: new Pins({ store: keyStore, now }), now });
    const directory = new Directory(device, {
      participants: (session) => http.all<Participant>(at(session, "/participants")),
      keys: (session) => http.all<object>(at(session, "/keys")),
    });
    return new Person(me.id, device, http, new Sealer(device, directory));
  }

  /** The questions that wait for an answer, opened. */
  async pending(sessionId?: string): Promise<PendingQuestion[]> {
    const sessions = sessionId === undefined ? await this.waiting() : [await this.session(sessionId)];
    const found: PendingQuestion[] = [];
    for (const session of sessions) {
      for (const message of await this.messages(session.id)) {
        if (message.responseRequired && message.status === "Pending") found.push(await this.opened(session, message));
      }
    }
    return found;
  }

  /** A question, opened. */
  async question(message: Message): Promise<PendingQuestion> {
    return this.opened(await this.session(message.sessionId), message);
  }

  /** Waits for the next question that no earlier call has returned. */
  async next(
    seen: ReadonlySet<string> = new Set(),
    { sessionId, timeout = 60_000 }: { sessionId?: string | undefined; timeout?: number | undefined } = {},
  ): Promise<PendingQuestion> {
    const end = Date.now() + timeout;
    for (;;) {
      const question = (await this.pending(sessionId)).find(({ message }) => !seen.has(message.id));
      if (question) return question;
      if (Date.now() > end) throw new HiloopError(0, "TIMEOUT", "No question has come");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Answers a question, sealed for every participant; without encryption where the question has none. */
  async answer({ message, opened }: Pick<PendingQuestion, "message" | "opened">, input: AnswerInput): Promise<Message> {
    const { action, text, values, settles = true } = input;
    const content: Content = {
      ...(text === undefined ? {} : { text }),
      ...(action === undefined ? {} : { action }),
      ...(values === undefined ? {} : { values }),
      ...(settles ? { outcome: input.outcome ?? outcomeOf(action) } : {}),
    };
    const beside = { inReplyTo: message.id, ...(settles ? {} : { settles }) };
    // Asked without encryption, and answered so.
    if (opened.state === "plain")
      return this.post(message.sessionId, { encryptedContent: sealPlain(content), ...beside, outcome: content.outcome });
    const { envelope } = await this.sealer.sealReply(message.sessionId, content, opened.digest, settles);
    return this.post(message.sessionId, { encryptedContent: envelope, ...beside });
  }

  /** Says something in a session. */
  async say(sessionId: string, text: string): Promise<Message> {
    const { envelope } = await this.sealer.seal(sessionId, "message", { content: { text } });
    return this.post(sessionId, { encryptedContent: envelope });
  }

  /** Every event of a session, and what its messages say. */
  async read(sessionId: string): Promise<{ message: Message; opened: OpenedMessage }[]> {
    const messages = (await this.timeline(sessionId)).flatMap(({ type, data }) =>
      type === "message.created" ? [data?.message as Message] : [],
    );
    const opened = await this.sealer.reader.readAll(messages);
    return messages.map((message, i) => ({ message, opened: opened[i] as OpenedMessage }));
  }

  /** The title of a session, opened. */
  titleOf(session: Session): Promise<string | null> {
    return this.sealer.titleOf(session);
  }

  session(sessionId: string): Promise<Session> {
    return this.http.call("GET", at(sessionId));
  }

  members(sessionId: string): Promise<Member[]> {
    return this.sealer.members(sessionId);
  }

  private async waiting(): Promise<Session[]> {
    const feed = await this.http.call<Page<FeedItem>>("GET", "/v1/human/feed", { query: { pageSize: PAGE_SIZE } });
    return feed.data.filter(({ pendingCount }) => pendingCount > 0).map(({ session }) => session);
  }

  private async opened(session: Session, message: Message): Promise<PendingQuestion> {
    const [opened] = (await this.sealer.reader.readAll([message])) as [OpenedMessage];
    const title = titleIn(opened.components) ?? (await this.titleOf(session));
    return { message, opened, title, text: opened.content?.text ?? null };
  }

  private messages(sessionId: string): Promise<Message[]> {
    return this.http.all(at(sessionId, "/messages"));
  }

  private async timeline(sessionId: string): Promise<HubEvent[]> {
    const events: HubEvent[] = [];
    for (;;) {
      const query = { after: events.at(-1)?.seq ?? 0, limit: 1000 };
      const page = await this.http.call<TimelinePage>("GET", at(sessionId, "/timeline"), { query });
      events.push(...page.data);
      if (!page.hasMore || page.data.length === 0) return events;
    }
  }

  private post(sessionId: string, body: object): Promise<Message> {
    return this.http.call("POST", at(sessionId, "/messages"), { body, idempotencyKey: newKey() });
  }
}

async function login({ baseUrl, email, password, fetch: fetcher = globalThis.fetch }: PersonOptions): Promise<string> {
  const http = new Http({
    baseUrl,
    fetch: (input, init) => fetcher(input, init),
    credential: { headers: () => Promise.resolve({}) },
    retry: () => null,
  });
  return (await http.call<LoginReply>("POST", "/v1/auth/login", { body: { email, password } })).accessToken;
}

async function storeOf({ baseUrl, keyStore = new MemoryKeyStore() }: PersonOptions, id: string): Promise<KeyStore> {
  return typeof keyStore === "function"
    ? keyStore({ baseUrl: baseUrl.replace(/\/+$/, "").replace(/\/v1$/, ""), agentId: id })
    : keyStore;
}

async function keysOf(store: KeyStore, secretKey: string | undefined): Promise<KeyRing> {
  if (secretKey) return new KeyRing(KeyPair.from(secretKey));
  const fresh = { secretKey: KeyPair.generate().secret(), createdAt: new Date().toISOString(), earlier: [] };
  const stored = (await store.loadKeys()) ?? (await store.createKeys(fresh));
  return new KeyRing(
    KeyPair.from(stored.secretKey),
    stored.earlier.map((one) => KeyPair.from(one.secretKey)),
  );
}

/** The title that a component shows. */
function titleIn(node: ComponentNode | null): string | null {
  if (!node) return null;
  const { title } = (node.data ?? {}) as { title?: unknown };
  if (typeof title === "string") return title;
  for (const child of node.children ?? []) {
    const found = titleIn(child);
    if (found !== null) return found;
  }
  return null;
}

function at(sessionId: string, rest = ""): string {
  return `/v1/human/sessions/${encodeURIComponent(sessionId)}${rest}`;
}
