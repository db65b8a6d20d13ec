// The client of an agent: sessions, messages, questions and their answers, live events.
import type { OpenedMessage } from "../e2e/messages.js";
import { Unverified } from "../e2e/errors.js";
import { type Known, safetyNumber } from "../e2e/safety.js";
import { type ReceiptOptions, type VerifiedReceipt, verifyReceipt } from "../e2e/receipts.js";
import { HiloopError, SignedOutError } from "../errors.js";
import { type OfflineOptions, offlineOptions } from "../offline/offline.js";
import type {
  AwaitedMessage,
  GuestInvitation,
  Message,
  Participant,
  Session,
  SessionInput,
  SessionPatch,
  TimelinePage,
} from "../types.js";
import { Agents } from "./agents.js";
import { Answerers } from "./answerers.js";
import { at } from "./api.js";
import { AgentCalls } from "./calls.js";
import type { MessageInput } from "./content.js";
import { Decision } from "./decision.js";
import { sessionEvents } from "./events.js";
import { feedEntries, type FeedEntry } from "./feed.js";
import { History } from "./history.js";
import { Interactions } from "./interactions.js";
import { Live } from "./live.js";
import type { Mode } from "./mode.js";
import type { AwaitOptions, EventOptions, HiloopClientOptions, RequestOptions, WaitOptions, WriteOptions } from "./options.js";
import { settingsOf } from "./options.js";
import { checkedId, participantOf, type PersonInput } from "./people.js";
import { PlainMode } from "./plain-mode.js";
import type { AskOptions } from "./question.js";
import { Questions } from "./questions.js";
import { followRemarks } from "./remarks.js";
import { SealedMode } from "./sealed-mode.js";
import { Threads } from "./threads.js";
import { type ClientEvent, type ClientTimelinePage, openedEvents, openedLive } from "./timeline.js";

export class HiloopClient extends AgentCalls {
  /** Questions in a session of their own, under older names. */
  readonly interactions: Interactions;
  private readonly agentKeys: Agents;
  private readonly mode: Mode;
  private readonly history: History;
  private readonly questions: Questions;
  private readonly threads = new Threads();
  private readonly lives = new Map<string, Live>();
  private readonly closing = new AbortController();

  constructor(options: HiloopClientOptions = {}) {
    const settings = settingsOf(options);
    const { platform, logger } = settings;
    super(settings);
    this.agentKeys = new Agents(this.api);
    this.history = new History(this.api, this.agentKeys, this.closing.signal);
    this.mode =
      settings.encryption === "off"
        ? new PlainMode()
        : new SealedMode({
            agents: this.agentKeys,
            answerers: new Answerers(platform, logger),
            message: (agent, sessionId, messageId) => this.message(sessionId, messageId, agent === null ? {} : { agentName: agent }),
            now: () => platform.now(),
            onMembers: (agent, sessionId, members) => this.history.seen(agent, sessionId, members),
          });
    this.questions = new Questions(this.api, this.agentKeys, this.mode);
    this.interactions = new Interactions(this.api, this.agentKeys, this.mode, this.questions);
  }

  /** Opens a session: with every human of the space unless `participants` names some. */
  async createSession({ title, ...input }: SessionInput = {}, options: WriteOptions = {}): Promise<Session> {
    const agent = this.api.agentOf(options);
    if (this.api.settings.encryption === "off")
      return this.api.write("/v1/agent/sessions", { ...input, ...(title === undefined ? {} : { title }) }, options);
    // So that people can write to it before it has written.
    await this.agentKeys.encrypting(agent);
    const session = await this.api.write<Session>("/v1/agent/sessions", input, options);
    if (title === undefined || session.encryptedTitle) return session;
    // Sealed to those who take part, whom the hub names once the session exists.
    return this.api.call("PATCH", at(session.id), options, { body: await this.mode.title(agent, session.id, title) });
  }

  /** The same as `createSession`. */
  createConvSession(input: SessionInput = {}, options: WriteOptions = {}): Promise<Session> {
    return this.createSession(input, options);
  }

  /** The title of a session, opened; null where it has none, or none that this agent can open. */
  titleOf(session: Session, options: RequestOptions = {}): Promise<string | null> {
    return this.mode.titleOf(this.api.agentOf(options), session);
  }

  /** Changes what is given; null clears a field. */
  async updateSession(sessionId: string, { title, ...patch }: SessionPatch, options: RequestOptions = {}): Promise<Session> {
    const titled =
      typeof title === "string"
        ? await this.mode.title(this.api.agentOf(options), sessionId, title)
        : title === null
          ? { title, encryptedTitle: null }
          : {};
    return this.api.call("PATCH", at(sessionId), options, { body: { ...patch, ...titled } });
  }

  /** Sends a message once, however often the network or a restart of the hub interrupts it. A string is its text. */
  async send(sessionId: string, message: string | MessageInput, options: WriteOptions = {}): Promise<Message> {
    const sent = await this.questions.send(sessionId, message, options, { timeout: this.api.settings.timeoutMs });
    this.threads.sent(this.api.agentOf(options), sent);
    return sent;
  }

  /**
   * Asks people a question and waits until it is settled, for hours if it must: through lost connections and restarts
   * of the hub. Acknowledges the outcome before it returns it. Act only on `approved`. With a `key`, it is one question
   * however often it is asked, in whatever process.
   */
  async ask(title: string, options: AskOptions = {}): Promise<Decision> {
    const asked = await this.questions.put(title, options);
    if (!asked) return new Decision({ status: "expired", message: null });
    const { sessionId, messageId } = asked;
    const stop = options.onRemark && this.followRemarks(sessionId, messageId, options);
    let decision: Decision;
    try {
      decision = await this.questions.settled(sessionId, messageId, options);
    } finally {
      stop?.();
    }
    // One that the hub has not settled can't be acknowledged.
    this.threads.settled(this.api.agentOf(options), decision);
    if (decision.message?.status === "Pending") return decision;
    decision.message = await this.questions.acknowledge(sessionId, messageId, options.exclusive ?? false, writeOptions(options));
    return decision;
  }

  /**
   * Waits for the answer to the last question that this client asked in the session, or to `messageId`. Where nothing
   * was asked: for the next message of a person, after the agent's own last one.
   */
  async awaitResponse(sessionId: string, options: AwaitOptions = {}): Promise<Decision> {
    const agent = this.api.agentOf(options);
    const question = options.messageId ?? (options.after === undefined ? this.threads.question(agent, sessionId) : null);
    if (question !== null) return this.awaitAnswer(sessionId, question, options);
    let after = options.after ?? this.threads.after(agent, sessionId);
    const found = await this.api.poll(options, "No person has written yet.", async (seconds) => {
      const { message } = await this.api.longPoll<AwaitedMessage>(at(sessionId, "/await"), seconds, options, { after });
      if (message === null) return null;
      after = message.seq;
      return this.threads.isAnswer(agent, message) ? null : message;
    });
    this.threads.returned(agent, found);
    return this.answerIn(sessionId, found, options);
  }

  /** Waits until a question is settled: by an answer, its deadline, or its end. It does not acknowledge. */
  async awaitAnswer(sessionId: string, messageId: string, options: WaitOptions = {}): Promise<Decision> {
    const decision = await this.questions.settled(sessionId, messageId, options);
    this.threads.settled(this.api.agentOf(options), decision);
    return decision;
  }

  /**
   * Settled questions that were not acknowledged, oldest first: what to read after a restart. One whose answer does not
   * verify has the status `unverified`, and its `problem`.
   */
  answers(options: RequestOptions = {}): Promise<Decision[]> {
    return this.questions.answers(options);
  }

  /**
   * Takes the outcome of a question, before acting on it. `exclusive`: of several processes only the first one
   * succeeds, the others get `ALREADY_ACKNOWLEDGED`.
   */
  acknowledge(
    sessionId: string,
    messageId: string,
    { exclusive = false, ...options }: WriteOptions & { exclusive?: boolean } = {},
  ): Promise<Message> {
    return this.questions.acknowledge(sessionId, messageId, exclusive, options);
  }

  /** One page of events after a seq, their messages opened. */
  async timeline(
    sessionId: string,
    { after = 0, limit, ...options }: EventOptions & { limit?: number | undefined } = {},
  ): Promise<ClientTimelinePage> {
    const page = await this.api.call<TimelinePage>("GET", at(sessionId, "/timeline"), options, { query: { after, limit } });
    return { ...page, data: await openedEvents(this.mode, this.api.agentOf(options), page.data) };
  }

  /** What a message says; its `state` says whether that is verified. */
  async openMessage(message: Message, options: RequestOptions = {}): Promise<OpenedMessage> {
    const [opened] = await this.mode.read(this.api.agentOf(options), [message]);
    return opened as OpenedMessage;
  }

  /**
   * The events of a session with their messages opened, from `after` on and without an end: each once, in order, none
   * missing. A slow consumer misses nothing. Leave the loop, or abort `signal`, to end it.
   */
  events(sessionId: string, { after = 0, signal, ...options }: EventOptions = {}): AsyncGenerator<ClientEvent, void, undefined> {
    const agent = this.api.agentOf(options);
    const events = sessionEvents({
      sessionId,
      after,
      live: this.live(agent),
      page: (from, limit, stopped) =>
        this.api.call<TimelinePage>(
          "GET",
          at(sessionId, "/timeline"),
          { ...options, signal: stopped },
          { query: { after: from, limit } },
        ),
      platform: this.api.settings.platform,
      signal: anyOf(signal, this.closing.signal),
    });
    return openedLive(this.mode, agent, events);
  }

  /** What happens in every session of the agent (of the space, for a key of permission `space`) from now on. */
  feed({ signal, ...options }: RequestOptions = {}): AsyncGenerator<FeedEntry, void, undefined> {
    return feedEntries({
      live: this.live(this.api.agentOf(options)),
      sessions: (page, pageSize, stopped) => this.listSessions({ ...options, page, pageSize, signal: stopped }),
      platform: this.api.settings.platform,
      signal: anyOf(signal, this.closing.signal),
    });
  }

  /** Adds a person (by e-mail address or id) or an agent. What was said before is shared with them. */
  async addParticipant(sessionId: string, participant: PersonInput, options: WriteOptions = {}): Promise<Participant> {
    const added = await this.api.write<Participant>(at(sessionId, "/participants"), participantOf(participant), options);
    const id = await checkedId(await this.questions.notes(this.api.agentOf(options)), participant, added);
    this.shareWith(sessionId, id, added, options);
    return added;
  }

  /** A link that opens this session without an account. Its token is returned here and never again. */
  async createGuestToken(
    sessionId: string,
    input: { name?: string; expiresInSeconds?: number } = {},
    options: WriteOptions = {},
  ): Promise<GuestInvitation> {
    const invitation = await this.api.write<GuestInvitation>(at(sessionId, "/guest-tokens"), input, options);
    const { participant } = invitation;
    if (participant.guestId) this.shareWith(sessionId, participant.guestId, participant, options);
    return invitation;
  }

  /** Confirms a changed key, after its safety number was compared with its owner: `keyId` as `KeyChanged` names it. */
  async trust(principalId: string, keyId: string, options: RequestOptions = {}): Promise<void> {
    const { device } = await this.agentKeys.encrypting(this.api.agentOf(options));
    if (await device.pins.trust(principalId, keyId)) return;
    await this.lookUp(principalId, options);
    if (!(await device.pins.trust(principalId, keyId)))
      throw new HiloopError(0, "NOT_FOUND", `No entry of ${principalId} with the key ${keyId} is known`);
  }

  /** 60 digits that are the same on the other side: compare them on another way than through the hub. */
  async safetyNumber(principalId: string, options: RequestOptions = {}): Promise<string> {
    const { device, me } = await this.agentKeys.encrypting(this.api.agentOf(options));
    const change = device.pins.changeOf(principalId);
    const changed = change && device.pins.entry({ id: principalId, keyId: change.keyId });
    const keys = changed ?? (await device.pins.current(principalId)) ?? (await this.lookUp(principalId, options));
    if (!keys) throw new HiloopError(0, "NO_KEYS", `${principalId} has no encryption key yet`);
    const own: Known = { principalId: me.id, keys: device.keys.current };
    return safetyNumber(own, { principalId, keys });
  }

  /** Lets a participant open everything in the session that this agent can open; the number of messages. */
  shareHistory(sessionId: string, principalId: string, options: RequestOptions = {}): Promise<number> {
    return this.history.share(sessionId, principalId, options);
  }

  /** New encryption keys for the agent, signed by the current ones; the id of the new key. */
  rotateKeys(options: RequestOptions = {}): Promise<string> {
    return this.agentKeys.rotateKeys(this.api.agentOf(options));
  }

  /** New encryption keys for an agent whose keys are lost: people are warned and have to trust them. The id of the new key. */
  replaceKeys(options: RequestOptions = {}): Promise<string> {
    return this.agentKeys.replaceKeys(this.api.agentOf(options));
  }

  /**
   * A client without a hub, for development: a person in this process answers every question as `answers` says. Keys,
   * envelopes and checks are the real ones.
   */
  static offline({ answers, ...options }: OfflineOptions & HiloopClientOptions = {}): HiloopClient {
    return new HiloopClient({ ...options, ...offlineOptions({ answers }, options.logger).options });
  }

  /** Checks a receipt without a hub; throws where it does not hold. */
  static verifyReceipt(receipt: unknown, options: ReceiptOptions = {}): Promise<VerifiedReceipt> {
    return verifyReceipt(receipt, options);
  }

  /** Ends every iteration of `events` and `feed`, and with them the live connections. */
  close(): void {
    this.closing.abort();
  }

  /** Without the keys. */
  toJSON(): object {
    const { agentName, baseUrl, encryption } = this.api.settings;
    return { agentName, baseUrl, encryption };
  }

  /** What a log of the client shows. */
  [Symbol.for("nodejs.util.inspect.custom")](): object {
    return { HiloopClient: this.toJSON() };
  }

  /** Follows the session until the returned function is called. */
  private followRemarks(sessionId: string, messageId: string, options: AskOptions): () => void {
    const { agentName, onRemark } = options;
    if (!onRemark) return () => undefined;
    const stop = new AbortController();
    const following = async (): Promise<void> => {
      const { seq } = await this.message(sessionId, messageId, { agentName, signal: stop.signal });
      const events = this.events(sessionId, { after: seq, agentName, signal: stop.signal });
      const answerOf = async () => (await this.message(sessionId, messageId, { agentName })).response?.messageId ?? null;
      await followRemarks({ events, answerOf, isRemark: (message) => this.isRemark(message, options) }, onRemark);
    };
    following().catch((error: unknown) => {
      if (!stop.signal.aborted)
        this.api.settings.logger.warn(`hiloop: remarks can't be followed any more: ${error instanceof Error ? error.message : ""}`);
    });
    return () => stop.abort();
  }

  private async isRemark(message: Message, options: RequestOptions): Promise<boolean> {
    try {
      await this.mode.remark(this.api.agentOf(options), message);
      return true;
    } catch (error) {
      if (!(error instanceof Unverified)) throw error;
      this.api.settings.logger.warn(`hiloop: message ${message.id} is passed over: ${error.message}`);
      return false;
    }
  }

  private shareWith(sessionId: string, principalId: string, { key }: Participant, options: RequestOptions): void {
    if (this.api.settings.encryption === "off") return;
    this.history.added(sessionId, principalId, Boolean(key), options);
  }

  /** The pinned key of a human or agent of the space. */
  private async lookUp(principalId: string, options: RequestOptions): Promise<Known["keys"] | null> {
    const { device } = await this.agentKeys.encrypting(this.api.agentOf(options));
    const contacts = [...(await this.humans(options)), ...(await this.agents(options))];
    const contact = contacts.find(({ id }) => id === principalId);
    if (contact?.key) await device.pins.see(principalId, contact.key);
    return device.pins.current(principalId);
  }

  /** What a person's message answers, if it answers anything. */
  private async answerIn(sessionId: string, message: Message, options: RequestOptions): Promise<Decision> {
    const agent = this.api.agentOf(options);
    if (message.inReplyTo !== null) {
      const question = await this.message(sessionId, message.inReplyTo, options);
      if (question.id === message.inReplyTo && question.response?.messageId === message.id) return this.questions.settled(sessionId, question.id, options);
    }
    return this.mode.remark(agent, message);
  }

  private live(agentName: string | null): Live {
    const { apiKey, baseUrl, platform } = this.api.settings;
    const key = agentName ?? "";
    let live = this.lives.get(key);
    if (!live) {
      const verify = (): Promise<void> => this.verify(agentName);
      live = new Live({ apiKey, baseUrl, agentName, platform, verify });
      this.lives.set(key, live);
    }
    return live;
  }

  private async verify(agentName: string | null): Promise<void> {
    try {
      await this.api.call("GET", "/v1/agent/me", { agentName: agentName ?? undefined }, { retry: () => null });
    } catch (error) {
      if (error instanceof HiloopError && error.status === 401) throw new SignedOutError(error.message);
      throw error;
    }
  }
}

/** The options of a further write: not under the key of the first one. */
function writeOptions({ agentName, signal }: RequestOptions): WriteOptions {
  return { agentName, signal };
}

/** Aborted when either of the two is. */
function anyOf(one: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return one ? AbortSignal.any([one, other]) : other;
}
