// The client of an agent: sessions, messages, questions and their answers, live events.
import { HiloopError, SignedOutError } from "../errors.js";
import { type CallOptions, Http, newKey, type RetryPolicy } from "../http.js";
import type {
  AgentSelf,
  AwaitedMessage,
  Contact,
  GuestInvitation,
  GuestToken,
  HubEvent,
  Message,
  Page,
  Participant,
  ParticipantInput,
  Session,
  SessionInput,
  SessionPatch,
  SessionStatus,
  TimelinePage,
} from "../types.js";
import { type Answer, answerOf, messageBody, type MessageInput, remarkOf } from "./content.js";
import { sessionEvents } from "./events.js";
import { feedEntries, type FeedEntry } from "./feed.js";
import { Live } from "./live.js";
import {
  checkAgentName,
  type HiloopClientOptions,
  type RequestOptions,
  type Settings,
  settingsOf,
  type WaitOptions,
  type WriteOptions,
} from "./options.js";
import { pollUntil, retryTransient } from "./retry.js";
import { SpaceCheck } from "./space.js";
import { Threads } from "./threads.js";

export interface ListOptions extends RequestOptions {
  /** From 1. */
  page?: number | undefined;
  /** 1 to 100. */
  pageSize?: number | undefined;
}

export interface AwaitOptions extends WaitOptions {
  /** The question to wait for; the last one that this client asked in the session unless given. */
  messageId?: string | undefined;
  /** Where nothing was asked: the seq after which a person's message counts. */
  after?: number | undefined;
}

export interface AskOptions extends WaitOptions, WriteOptions {}

export interface EventOptions extends RequestOptions {
  /** The seq of the last event that you have; 0 (the default) for the whole session. */
  after?: number | undefined;
}

/** Beyond the seconds that the hub holds a long-poll: the way there and back. */
const POLL_MARGIN_MS = 10_000;

export class HiloopClient {
  private readonly settings: Settings;
  private readonly http: Http;
  private readonly space: SpaceCheck | null;
  private readonly threads = new Threads();
  private readonly lives = new Map<string, Live>();
  private readonly closing = new AbortController();

  constructor(options: HiloopClientOptions) {
    this.settings = settingsOf(options);
    const { apiKey, baseUrl, platform, spaceName, timeoutMs } = this.settings;
    this.http = new Http({
      baseUrl,
      fetch: platform.fetch,
      credential: { headers: () => Promise.resolve({ "x-api-key": apiKey }) },
      retry: retryTransient(platform),
      timeoutMs,
      now: () => platform.now(),
    });
    this.space = spaceName === null ? null : new SpaceCheck(this.http, spaceName);
  }

  /** The agent and the key of this client. */
  me(options: RequestOptions = {}): Promise<AgentSelf> {
    return this.call("GET", "/v1/agent/me", options);
  }

  /** The people of the space. */
  humans(options: RequestOptions = {}): Promise<Contact[]> {
    return this.all("/v1/agent/humans", options);
  }

  /** The agents of the space. */
  agents(options: RequestOptions = {}): Promise<Contact[]> {
    return this.all("/v1/agent/agents", options);
  }

  /** Opens a session: with every human of the space unless `participants` names some. */
  createSession(input: SessionInput = {}, options: WriteOptions = {}): Promise<Session> {
    return this.write("/v1/agent/sessions", { ...input }, options);
  }

  /** The same as `createSession`. */
  createConvSession(input: SessionInput = {}, options: WriteOptions = {}): Promise<Session> {
    return this.createSession(input, options);
  }

  /** Newest activity first; archived ones only on request. */
  sessions({ status, page, pageSize, ...options }: ListOptions & { status?: SessionStatus | undefined } = {}): Promise<Page<Session>> {
    return this.call("GET", "/v1/agent/sessions", options, { query: { status, page, pageSize } });
  }

  session(sessionId: string, options: RequestOptions = {}): Promise<Session> {
    return this.call("GET", at(sessionId), options);
  }

  /** Changes what is given; null clears a field. */
  updateSession(sessionId: string, patch: SessionPatch, options: RequestOptions = {}): Promise<Session> {
    return this.call("PATCH", at(sessionId), options, { body: patch });
  }

  /** Cancels its pending questions; new messages are refused from then on. May be repeated. */
  closeSession(sessionId: string, options: WriteOptions = {}): Promise<Session> {
    return this.write(at(sessionId, "/close"), {}, options);
  }

  /** Closes a session and leaves it out of lists. May be repeated. */
  archiveSession(sessionId: string, options: WriteOptions = {}): Promise<Session> {
    return this.write(at(sessionId, "/archive"), {}, options);
  }

  /** Sends a message once, however often the network or a restart of the hub interrupts it. A string is its text. */
  async send(sessionId: string, message: string | MessageInput, options: WriteOptions = {}): Promise<Message> {
    const sent = await this.write<Message>(at(sessionId, "/messages"), messageBody(message), options);
    this.threads.sent(this.agentOf(options), sent);
    return sent;
  }

  /**
   * Asks a question and waits until it is settled. Act only on `approved`. With an `idempotencyKey` of your own, the
   * same call made again (after a restart of your process) waits for the same question.
   */
  async ask(sessionId: string, question: string | MessageInput, options: AskOptions = {}): Promise<Answer> {
    const input = typeof question === "string" ? { text: question } : question;
    const { id } = await this.send(sessionId, { ...input, responseRequired: true }, options);
    return this.awaitAnswer(sessionId, id, options);
  }

  /**
   * Waits for the answer to the last question that this client asked in the session, or to `messageId`. Where nothing
   * was asked: for the next message of a person, after the agent's own last one.
   */
  async awaitResponse(sessionId: string, options: AwaitOptions = {}): Promise<Answer> {
    const agent = this.agentOf(options);
    const question = options.messageId ?? (options.after === undefined ? this.threads.question(agent, sessionId) : null);
    if (question !== null) return this.awaitAnswer(sessionId, question, options);
    let after = options.after ?? this.threads.after(agent, sessionId);
    const found = await this.poll(options, "No person has written yet.", async (seconds) => {
      const { message } = await this.longPoll<AwaitedMessage>(at(sessionId, "/await"), seconds, options, { after });
      if (message === null) return null;
      after = message.seq;
      return this.threads.isAnswer(agent, message) ? null : message;
    });
    this.threads.returned(agent, found);
    return this.answerIn(sessionId, found, options);
  }

  /** Waits until a question is settled: by an answer, its deadline, or its end. */
  async awaitAnswer(sessionId: string, messageId: string, options: WaitOptions = {}): Promise<Answer> {
    const path = at(sessionId, `/messages/${encodeURIComponent(messageId)}/await`);
    const answer = await this.poll(options, "The question is not answered yet.", async (seconds) =>
      answerOf(await this.longPoll<Message>(path, seconds, options)),
    );
    this.threads.settled(this.agentOf(options), answer);
    return answer;
  }

  /** Settled questions that were not acknowledged, oldest first: what to read after a restart. */
  async answers(options: RequestOptions = {}): Promise<Answer[]> {
    const messages = await this.all<Message>("/v1/agent/answers", options);
    return messages.flatMap((message) => answerOf(message) ?? []);
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
    return this.write(at(sessionId, `/messages/${encodeURIComponent(messageId)}/acknowledge`), { exclusive }, options);
  }

  /** Takes back a pending question; `ALREADY_SETTLED` if it is not pending. */
  cancel(sessionId: string, messageId: string, options: WriteOptions = {}): Promise<Message> {
    return this.write(at(sessionId, `/messages/${encodeURIComponent(messageId)}/cancel`), {}, options);
  }

  /** Oldest first. */
  messages(sessionId: string, { page, pageSize, ...options }: ListOptions = {}): Promise<Page<Message>> {
    return this.call("GET", at(sessionId, "/messages"), options, { query: { page, pageSize } });
  }

  message(sessionId: string, messageId: string, options: RequestOptions = {}): Promise<Message> {
    return this.call("GET", at(sessionId, `/messages/${encodeURIComponent(messageId)}`), options);
  }

  /** One page of events after a seq. */
  timeline(
    sessionId: string,
    { after = 0, limit, ...options }: EventOptions & { limit?: number | undefined } = {},
  ): Promise<TimelinePage> {
    return this.call("GET", at(sessionId, "/timeline"), options, { query: { after, limit } });
  }

  /**
   * The events of a session, from `after` on and without an end: each once, in order, none missing. A slow consumer
   * misses nothing. Leave the loop, or abort `signal`, to end it.
   */
  events(sessionId: string, { after = 0, signal, ...options }: EventOptions = {}): AsyncGenerator<HubEvent, void, undefined> {
    return sessionEvents({
      sessionId,
      after,
      live: this.live(this.agentOf(options)),
      page: (from, limit, stopped) => this.timeline(sessionId, { ...options, after: from, limit, signal: stopped }),
      platform: this.settings.platform,
      signal: anyOf(signal, this.closing.signal),
    });
  }

  /** What happens in every session of the agent (of the space, for a key of permission `space`) from now on. */
  feed({ signal, ...options }: RequestOptions = {}): AsyncGenerator<FeedEntry, void, undefined> {
    return feedEntries({
      live: this.live(this.agentOf(options)),
      sessions: (page, pageSize, stopped) => this.sessions({ ...options, page, pageSize, signal: stopped }),
      platform: this.settings.platform,
      signal: anyOf(signal, this.closing.signal),
    });
  }

  /** Shows people that the agent is writing; lapses after 6 seconds unless it is repeated. */
  typing(sessionId: string, isTyping = true, options: RequestOptions = {}): Promise<void> {
    return this.call("POST", at(sessionId, "/typing"), options, { body: { typing: isTyping } });
  }

  participants(sessionId: string, options: RequestOptions = {}): Promise<Participant[]> {
    return this.all(at(sessionId, "/participants"), options);
  }

  addParticipant(sessionId: string, participant: ParticipantInput, options: WriteOptions = {}): Promise<Participant> {
    return this.write(at(sessionId, "/participants"), participant, options);
  }

  removeParticipant(sessionId: string, participantId: string, options: RequestOptions = {}): Promise<void> {
    return this.remove(at(sessionId, `/participants/${encodeURIComponent(participantId)}`), options);
  }

  /** A link that opens this session without an account. Its token is returned here and never again. */
  createGuestToken(
    sessionId: string,
    input: { name?: string; expiresInSeconds?: number } = {},
    options: WriteOptions = {},
  ): Promise<GuestInvitation> {
    return this.write(at(sessionId, "/guest-tokens"), input, options);
  }

  guestTokens(sessionId: string, options: RequestOptions = {}): Promise<GuestToken[]> {
    return this.all(at(sessionId, "/guest-tokens"), options);
  }

  /** The guest leaves the session. */
  revokeGuestToken(sessionId: string, tokenId: string, options: RequestOptions = {}): Promise<void> {
    return this.remove(at(sessionId, `/guest-tokens/${encodeURIComponent(tokenId)}`), options);
  }

  /** Ends every iteration of `events` and `feed`, and with them the live connections. */
  close(): void {
    this.closing.abort();
  }

  private async call<T>(method: string, path: string, options: RequestOptions, call: CallOptions = {}): Promise<T> {
    await this.space?.passed();
    return this.http.call(method, path, { ...call, headers: this.headers(options), signal: options.signal });
  }

  private async all<T>(path: string, options: RequestOptions): Promise<T[]> {
    await this.space?.passed();
    return this.http.all(path, { headers: this.headers(options), signal: options.signal });
  }

  private write<T>(path: string, body: object, options: WriteOptions): Promise<T> {
    return this.call("POST", path, options, { body, idempotencyKey: options.idempotencyKey ?? newKey() });
  }

  private async remove(path: string, options: RequestOptions): Promise<void> {
    const policy = retryTransient(this.settings.platform);
    let isRepeated = false;
    const retry: RetryPolicy = (error, attempt) => {
      const wait = policy(error, attempt);
      isRepeated ||= wait !== null;
      return wait;
    };
    try {
      await this.call("DELETE", path, options, { retry });
    } catch (error) {
      // Removed by an attempt whose reply was lost.
      if (!(isRepeated && error instanceof HiloopError && error.status === 404)) throw error;
    }
  }

  private longPoll<T>(path: string, seconds: number, options: RequestOptions, query: { after?: number | undefined } = {}): Promise<T> {
    const timeoutMs = seconds * 1000 + POLL_MARGIN_MS;
    return this.call("GET", path, options, { query: { ...query, timeout: seconds }, timeoutMs, retry: () => null });
  }

  private poll<T>(options: WaitOptions, timeoutMessage: string, poll: (seconds: number) => Promise<T | null>): Promise<T> {
    const { timeout: timeoutMs, signal } = options;
    return pollUntil(poll, { timeoutMs, signal, timeoutMessage }, this.settings.platform);
  }

  /** What a person's message answers, if it answers anything. */
  private async answerIn(sessionId: string, message: Message, options: RequestOptions): Promise<Answer> {
    if (message.inReplyTo === null) return remarkOf(message);
    const question = await this.message(sessionId, message.inReplyTo, options);
    return (question.response?.messageId === message.id && answerOf(question)) || remarkOf(message);
  }

  private agentOf({ agentName }: RequestOptions): string | null {
    if (agentName !== undefined) checkAgentName(agentName);
    return agentName ?? this.settings.agentName;
  }

  private headers(options: RequestOptions): Record<string, string> {
    const agent = this.agentOf(options);
    return agent === null ? {} : { "x-hiloop": agent };
  }

  private live(agentName: string | null): Live {
    const { apiKey, baseUrl, platform } = this.settings;
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
      await this.call("GET", "/v1/agent/me", { agentName: agentName ?? undefined }, { retry: () => null });
    } catch (error) {
      if (error instanceof HiloopError && error.status === 401) throw new SignedOutError(error.message);
      throw error;
    }
  }
}

function at(sessionId: string, rest = ""): string {
  return `/v1/agent/sessions/${encodeURIComponent(sessionId)}${rest}`;
}

/** Aborted when either of the two is. */
function anyOf(one: AbortSignal | undefined, other: AbortSignal): AbortSignal {
  return one ? AbortSignal.any([one, other]) : other;
}
