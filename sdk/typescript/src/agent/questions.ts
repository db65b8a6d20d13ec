// Questions: ask once, wait for as long as it takes, take the outcome.
import { isId } from "../e2e/bytes.js";
import { Unverified } from "../e2e/errors.js";
import { sealPlain } from "../envelope.js";
import { HiloopError, TimeoutError } from "../errors.js";
import { newKey } from "../http.js";
import type { Interaction, Message, Page, Session } from "../types.js";
import type { Agents } from "./agents.js";
import { type Api, at, atMessage } from "./api.js";
import { type Draft, draftOf, type MessageInput } from "./content.js";
import { Decision } from "./decision.js";
import type { Asked, Mode, Outgoing } from "./mode.js";
import type { RequestOptions, WaitOptions, WriteOptions } from "./options.js";
import { addAll, idsOf, participantOf, type PersonInput } from "./people.js";
import { type AskOptions, deadlineOf, questionOf } from "./question.js";
import { QuestionKey, uuid7 } from "./question-key.js";

const PAGE_SIZE = 100;
/** A hub that does not expire a question in time is not waited for. */
const EXPIRY_MARGIN_MS = 30_000;
/** Questions that are remembered; others are read from the hub and checked again. */
const MAX_REMEMBERED = 1_000;

export class Questions {
  private readonly remembered = new Map<string, Asked>();

  constructor(
    private readonly api: Api,
    private readonly agents: Agents,
    private readonly mode: Mode,
  ) {}

  /** Asks, unless the question of this key was asked before; null where its deadline passed before it could be. */
  async put(title: string, options: AskOptions): Promise<Asked | null> {
    const agent = this.api.agentOf(options);
    const { now } = this.api.settings.platform;
    const deadlineAt = deadlineOf(options.deadline, now());
    const input: MessageInput = { ...questionOf(title, options), ...(deadlineAt === null ? {} : { deadlineAt }) };
    const key =
      options.key === undefined ? null : new QuestionKey((await this.agents.me(agent)).id, options.session ?? null, options.key);
    const found = key && (await this.find(agent, key, options));
    if (found) return found;
    try {
      return await this.post(title, input, key, options);
    } catch (error) {
      if (!(error instanceof HiloopError)) throw error;
      if (error.code === "NO_KEYS") return null;
      // Another process was first, with other bytes.
      const isTaken = error.code === "IDEMPOTENCY_MISMATCH" || error.code === "CONFLICT";
      const asked = isTaken && key ? await this.find(agent, key, options) : null;
      if (!asked) throw error;
      return asked;
    }
  }

  /** Sends a message of any kind. */
  async send(sessionId: string, input: string | MessageInput, options: WriteOptions, wait: WaitOptions = {}): Promise<Message> {
    return this.deliver(sessionId, await this.prepare(sessionId, draftOf(input), { ...options, ...wait }), options);
  }

  /** Seals a message; a question waits here until one of those who may answer has a key. */
  private async prepare(sessionId: string, draft: Draft, options: WaitOptions): Promise<Outgoing> {
    const answerers = draft.answerers && (await idsOf(this.api, sessionId, draft.answerers, options));
    return this.mode.message(this.api.agentOf(options), sessionId, { ...draft, answerers }, options);
  }

  private async deliver(sessionId: string, { body, sent }: Outgoing, options: WriteOptions): Promise<Message> {
    const message = await this.api.write<Message>(at(sessionId, "/messages"), body, options);
    const asked = sent(message);
    if (asked) this.remember(asked);
    return message;
  }

  /** Waits until a question is settled: by an answer, its deadline, or its end. */
  async settled(sessionId: string, messageId: string, options: WaitOptions): Promise<Decision> {
    const agent = this.api.agentOf(options);
    const { now } = this.api.settings.platform;
    const asked = this.remembered.get(messageId) ?? (await this.load(agent, sessionId, messageId, options));
    const overdue = asked.deadlineAt === null ? Infinity : Date.parse(asked.deadlineAt) + EXPIRY_MARGIN_MS;
    const timeout = Math.min(options.timeout ?? Infinity, Math.max(0, overdue - now()));
    let pending: Message | null = null;
    try {
      return await this.api.poll({ ...options, timeout }, "The question is not answered yet.", async (seconds) => {
        const message = await this.api.longPoll<Message>(atMessage(sessionId, messageId, "/await"), seconds, options);
        pending = message;
        return message.status === "Pending" ? null : this.mode.decision(agent, asked, message);
      });
    } catch (error) {
      if (!(error instanceof TimeoutError) || now() < overdue) throw error;
      return new Decision({ status: "expired", message: pending });
    }
  }

  acknowledge(sessionId: string, messageId: string, exclusive: boolean, options: WriteOptions): Promise<Message> {
    return this.api.write(atMessage(sessionId, messageId, "/acknowledge"), { exclusive }, options);
  }

  /** Settled questions that are not acknowledged. One whose answer does not verify has the status `unverified`. */
  async answers(options: RequestOptions): Promise<Decision[]> {
    const agent = this.api.agentOf(options);
    const decisions: Decision[] = [];
    for (const message of await this.api.all<Message>("/v1/agent/answers", options)) {
      try {
        const asked = this.remembered.get(message.id) ?? (await this.mode.question(agent, message));
        decisions.push(await this.mode.decision(agent, asked, message));
      } catch (error) {
        if (!(error instanceof HiloopError) || error.status !== 0) throw error;
        if (!VERDICTS.has(error.code)) throw error;
        decisions.push(new Decision({ status: "unverified", message, problem: error }));
      }
    }
    return decisions;
  }

  private async post(title: string, input: MessageInput, key: QuestionKey | null, options: AskOptions): Promise<Asked> {
    const agent = this.api.agentOf(options);
    const to = options.to === undefined ? null : listOf(options.to);
    const answerers = options.answerers === undefined ? null : listOf(options.answerers);
    const isPlain = this.api.settings.encryption === "off";
    if (options.session === undefined && isPlain && !answerers?.some((one) => one.includes("@"))) {
      return this.postInteraction(title, { ...input, ...(answerers ? { answerers } : {}) }, to, key, options);
    }
    const own = options.session === undefined ? await this.open(to, key, options) : null;
    const sessionId = own?.id ?? (options.session as string);
    if (own && key) {
      // Another process may have asked since.
      const found = await this.findIn(agent, sessionId, key, options);
      if (found) return found;
    }
    const asked = await this.namedIn(sessionId, to, options);
    const message: MessageInput = { ...input, ...(answerers ? { answerers } : asked ? { answerers: asked } : {}) };
    const outgoing = await this.prepare(sessionId, draftOf(message, key?.mark ?? null), options);
    // Now that those who are asked can open it.
    if (own && own.title === null && own.encryptedTitle === null) {
      await this.api.call("PATCH", at(sessionId), options, { body: await this.mode.title(agent, sessionId, title) });
    }
    const { id } = await this.deliver(sessionId, outgoing, { ...options, idempotencyKey: key?.idempotencyKey ?? newKey() });
    return this.remembered.get(id) as Asked;
  }

  /**
   * The ids of those who are asked; null for every participant. In a session of its own that is the same, unless
   * the hub adds a participant: where all are named by id, only they may answer.
   */
  private async namedIn(sessionId: string, to: readonly PersonInput[] | null, options: AskOptions): Promise<string[] | null> {
    if (!to) return null;
    if (options.session !== undefined) return addAll(this.api, sessionId, to, options);
    const ids = to.flatMap((one) => (typeof one === "string" ? (isId(one) ? one : []) : (one.humanId ?? [])));
    return ids.length === to.length ? ids : null;
  }

  /** Opens a session for the question, unless it is there already. */
  private async open(to: readonly PersonInput[] | null, key: QuestionKey | null, options: AskOptions): Promise<Session> {
    const now = this.api.settings.platform.now();
    const id = key ? key.session(now) : uuid7(now);
    const body = { id, ...(to ? { participants: to.map(participantOf) } : {}) };
    try {
      return await this.api.write<Session>("/v1/agent/sessions", body, { ...options, idempotencyKey: newKey() });
    } catch (error) {
      if (!(error instanceof HiloopError) || error.code !== "CONFLICT") throw error;
      return this.api.call<Session>("GET", at(id), options);
    }
  }

  /** Without encryption: the session and the question in one transaction. */
  private async postInteraction(
    title: string,
    input: MessageInput,
    to: readonly PersonInput[] | null,
    key: QuestionKey | null,
    options: AskOptions,
  ): Promise<Asked> {
    const agent = this.api.agentOf(options);
    const { body, sent } = await this.mode.message(agent, "", draftOf(input, key?.mark ?? null), options);
    const { responseRequired: _, ...fields }: Record<string, unknown> = { encryptedContent: sealPlain({}), ...body };
    const now = this.api.settings.platform.now();
    const own = { title, ...(key ? { id: key.session(now) } : {}), ...(to ? { participants: to.map(participantOf) } : {}) };
    const write = { ...options, idempotencyKey: key?.idempotencyKey ?? newKey() };
    const opened = await this.api.write<Interaction>("/v1/agent/interactions", { ...fields, ...own }, write);
    const message = await this.api.call<Message>("GET", atMessage(opened.id, opened.messageId), options);
    const asked = sent(message) as Asked;
    this.remember(asked);
    return asked;
  }

  /** The question of this key, where it was asked before. */
  private async find(agent: string | null, key: QuestionKey, options: AskOptions): Promise<Asked | null> {
    if (options.session !== undefined) return this.findIn(agent, options.session, key, options);
    const ids = [...new Set(key.sessions(this.api.settings.platform.now()))];
    const found = await Promise.all(ids.map((id) => this.findIn(agent, id, key, options)));
    return found.find((one) => one !== null) ?? null;
  }

  /** The question of this key among the messages of a session: of this agent, and marked inside of what is sealed. */
  private async findIn(agent: string | null, sessionId: string, key: QuestionKey, options: RequestOptions): Promise<Asked | null> {
    const { id: me } = await this.agents.me(agent);
    for (let page = 1; ; page += 1) {
      let messages: Page<Message>;
      try {
        messages = await this.api.call("GET", at(sessionId, "/messages"), options, { query: { page, pageSize: PAGE_SIZE } });
      } catch (error) {
        if (error instanceof HiloopError && error.status === 404) return null;
        throw error;
      }
      for (const message of messages.data) {
        if (!message.responseRequired || message.senderAgentId !== me) continue;
        const asked = await this.mode.question(agent, message).catch(nullIfUnverified);
        if (asked?.mark !== key.mark) continue;
        this.remember(asked);
        return asked;
      }
      if (messages.data.length < PAGE_SIZE) return null;
    }
  }

  private async load(agent: string | null, sessionId: string, messageId: string, options: RequestOptions): Promise<Asked> {
    const message = await this.api.call<Message>("GET", atMessage(sessionId, messageId), options);
    if (message.id !== messageId) throw new Unverified("not_our_question", "The question");
    const asked = await this.mode.question(agent, message);
    this.remember(asked);
    return asked;
  }

  private remember(asked: Asked): void {
    this.remembered.set(asked.messageId, asked);
    if (this.remembered.size > MAX_REMEMBERED) this.remembered.delete(this.remembered.keys().next().value as string);
  }
}

const VERDICTS: ReadonlySet<string> = new Set(["UNVERIFIED", "KEY_CHANGED", "INVALID_ANSWER"]);

function nullIfUnverified(error: unknown): null {
  if (error instanceof Unverified) return null;
  throw error;
}

function listOf<T>(one: T | readonly T[]): readonly T[] {
  return Array.isArray(one) ? (one as readonly T[]) : [one as T];
}
