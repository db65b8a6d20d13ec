// Questions: ask once, wait for as long as it takes, take the outcome.
import { isObject } from "../e2e/bytes.js";
import { Unverified } from "../e2e/errors.js";
import { sealPlain } from "../envelope.js";
import { HiloopError, TimeoutError } from "../errors.js";
import { newKey } from "../http.js";
import type { ComponentNode, Interaction, Message, Page, Session } from "../types.js";
import type { Agents } from "./agents.js";
import { type Api, at, atMessage } from "./api.js";
import { type Draft, draftOf, type MessageInput } from "./content.js";
import { type AskedQuestion, Decision, overdue } from "./decision.js";
import type { Asked, Mode, Outgoing } from "./mode.js";
import { invalid, type RequestOptions, type WaitOptions, type WriteOptions } from "./options.js";
import type { Notes } from "./notes.js";
import { idsOf, knownId, participantOf, type PersonInput } from "./people.js";
import { type AskOptions, deadlineOf, questionOf } from "./question.js";
import { QuestionKey, uuid7 } from "./question-key.js";

const PAGE_SIZE = 100;
/** A session with more messages than these pages is not searched further. */
const MAX_PAGES = 1_000;
/** A hub that does not expire a question in time is not waited for. */
const EXPIRY_MARGIN_MS = 10_000;
/** Questions that are remembered; others are read from the hub and checked again. */
const MAX_REMEMBERED = 1_000;

export class Questions {
  /** Holds content keys. */
  readonly #remembered = new Map<string, Asked>();

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
    const keys = await this.keysOf(agent, options);
    const key = keys[0] ?? null;
    const found = await this.find(agent, keys, input, options);
    if (found) return found;
    try {
      return await this.post(title, input, key, options);
    } catch (error) {
      if (!(error instanceof HiloopError)) throw error;
      if (error.code === "NO_KEYS") return null;
      // Another process was first, with other bytes.
      const isTaken = error.code === "IDEMPOTENCY_MISMATCH" || error.code === "CONFLICT";
      const asked = isTaken ? await this.find(agent, keys, input, options) : null;
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
    const notes = await this.notes(this.api.agentOf(options));
    const answerers = draft.answerers && (await idsOf(this.api, notes, sessionId, draft.answerers, options));
    return this.mode.message(this.api.agentOf(options), sessionId, { ...draft, answerers }, options);
  }

  private async deliver(sessionId: string, { body, sent }: Outgoing, options: WriteOptions): Promise<Message> {
    const message = await this.api.write<Message>(at(sessionId, "/messages"), body, options);
    await this.take(this.api.agentOf(options), sessionId, message.id, message, sent);
    return message;
  }

  /** The hub has a message: a question is remembered, beyond this process too. */
  async take(
    agent: string | null,
    sessionId: string,
    messageId: string,
    message: Message,
    sent: (message: Message) => Asked | null,
  ): Promise<Asked | null> {
    this.check(message, sessionId, messageId);
    const asked = sent(message);
    if (asked) await this.remember(agent, asked);
    return asked;
  }

  /** What this client remembers beyond its process; null without encryption. */
  async notes(agent: string | null): Promise<Notes | null> {
    return this.api.settings.encryption === "off" ? null : (await this.agents.encrypting(agent)).notes;
  }

  /** The key of a question under each of the agent's private keys, the current ones first; none without a key. */
  private async keysOf(agent: string | null, options: AskOptions): Promise<QuestionKey[]> {
    const { key } = options;
    const session = options.session ?? null;
    if (key === undefined) return [];
    const { id } = await this.agents.me(agent);
    if (this.api.settings.encryption === "off") return [new QuestionKey(id, session, key)];
    const { device } = await this.agents.encrypting(agent);
    return device.keys.all.map((pair) => new QuestionKey(id, session, key, pair));
  }

  /** Without encryption the hub is trusted with this, and with everything else. */
  private check(message: Message, sessionId: string, messageId: string): void {
    if (this.api.settings.encryption === "off") return;
    if (message.id !== messageId || message.sessionId !== sessionId) throw new Unverified("not_our_question", "The question");
  }

  /** Waits until a question is settled: by an answer, its deadline, or its end. */
  async settled(sessionId: string, messageId: string, options: WaitOptions): Promise<Decision> {
    const agent = this.api.agentOf(options);
    const { now } = this.api.settings.platform;
    const asked = this.#remembered.get(messageId) ?? (await this.load(agent, sessionId, messageId, options));
    if (asked.sealed && asked.sessionId !== sessionId) throw new Unverified("not_our_question", "The question");
    const end = asked.deadlineAt === null ? Infinity : Date.parse(asked.deadlineAt) + EXPIRY_MARGIN_MS;
    const timeout = Math.min(options.timeout ?? Infinity, Math.max(0, end - now()));
    let pending: Message | null = null;
    try {
      return await this.api.poll({ ...options, timeout }, "The question is not answered yet.", async (seconds) => {
        const message = await this.api.longPoll<Message>(atMessage(sessionId, messageId, "/await"), seconds, options);
        this.check(message, sessionId, messageId);
        pending = message;
        return message.status === "Pending" ? null : this.decide(agent, asked, message);
      });
    } catch (error) {
      if (!(error instanceof TimeoutError) || now() < end) throw error;
      return this.warned(overdue(pending, questionIn(asked)), messageId);
    }
  }

  private async decide(agent: string | null, asked: Asked, settled: Message): Promise<Decision> {
    const decision = await this.mode.decision(agent, asked, settled);
    decision.question = questionIn(asked);
    return this.warned(decision, asked.messageId);
  }

  private warned(decision: Decision, messageId: string): Decision {
    if (decision.warning) this.api.settings.logger.warn(`hiloop: message ${messageId}: ${decision.warning}`);
    return decision;
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
        const asked = this.#remembered.get(message.id) ?? (await this.mode.question(agent, message));
        await this.remember(agent, asked);
        this.check(message, asked.sessionId, asked.messageId);
        decisions.push(await this.decide(agent, asked, message));
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
      const found = await this.findIn(agent, sessionId, key, input, options);
      if (found) return found;
    }
    const notes = await this.notes(agent);
    const named = to && (await idsOf(this.api, notes, sessionId, to.map(participantOf), options));
    const answering = answerers && (await idsOf(this.api, notes, sessionId, answerers, options));
    if (named && answering?.some((id) => !named.includes(id))) throw invalid("answerers", "must be among the people of 'to'");
    const recipients = named && [(await this.agents.me(agent)).id, ...named];
    const draft = draftOf(input, key?.mark ?? null);
    const outgoing = await this.prepare(sessionId, { ...draft, answerers: answering ?? named, recipients }, options);
    // Now that those who are asked can open it.
    if (own && own.title === null && own.encryptedTitle === null) {
      await this.api.call("PATCH", at(sessionId), options, { body: await this.mode.title(agent, sessionId, title, recipients) });
    }
    const { id } = await this.deliver(sessionId, outgoing, { ...options, idempotencyKey: key?.idempotencyKey ?? newKey() });
    return this.#remembered.get(id) as Asked;
  }

  /** Opens a session for the question, unless it is there already. */
  private async open(to: readonly PersonInput[] | null, key: QuestionKey | null, options: AskOptions): Promise<Session> {
    const now = this.api.settings.platform.now();
    const id = key ? key.session(now) : uuid7(now);
    const body = { id, ...(to ? { participants: to.map(participantOf) } : {}) };
    try {
      const session = await this.api.write<Session>("/v1/agent/sessions", body, { ...options, idempotencyKey: newKey() });
      if (session.id !== id) throw notOurs(id);
      return session;
    } catch (error) {
      if (!(error instanceof HiloopError) || error.code !== "CONFLICT") throw error;
      return this.own(id, options);
    }
  }

  /** A session that this agent has opened: in another one, others have chosen who takes part. */
  private async own(id: string, options: AskOptions): Promise<Session> {
    const { id: me } = await this.agents.me(this.api.agentOf(options));
    let session: Session;
    try {
      session = await this.api.call<Session>("GET", at(id), options);
    } catch (error) {
      throw error instanceof HiloopError && error.status === 404 ? notOurs(id) : error;
    }
    if (session.id !== id || session.createdByAgentId !== me) throw notOurs(id);
    return session;
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
    return (await this.take(agent, opened.id, opened.messageId, message, sent)) as Asked;
  }

  /** The question of one of these keys, where it was asked before. */
  private async find(
    agent: string | null,
    keys: readonly QuestionKey[],
    input: MessageInput,
    options: AskOptions,
  ): Promise<Asked | null> {
    for (const key of keys) {
      const { session } = options;
      const ids = session === undefined ? [...new Set(key.sessions(this.api.settings.platform.now()))] : [session];
      const all = await Promise.all(ids.map((id) => this.findIn(agent, id, key, input, options)));
      const found = all.find((one) => one !== null);
      if (found) return found;
    }
    return null;
  }

  /** The question of this key among the messages of a session: of this agent, and marked inside of what is sealed. */
  private async findIn(
    agent: string | null,
    sessionId: string,
    key: QuestionKey,
    input: MessageInput,
    options: AskOptions,
  ): Promise<Asked | null> {
    const { id: me } = await this.agents.me(agent);
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      let messages: Page<Message>;
      try {
        messages = await this.api.call("GET", at(sessionId, "/messages"), options, { query: { page, pageSize: PAGE_SIZE } });
      } catch (error) {
        if (error instanceof HiloopError && error.status === 404) return null;
        throw error;
      }
      for (const message of messages.data) {
        if (!message.responseRequired || message.senderAgentId !== me || message.sessionId !== sessionId) continue;
        const asked = await this.mode.question(agent, message).catch(nullIfUnverified);
        if (asked?.mark !== key.mark) continue;
        if (options.session === undefined) await this.own(sessionId, options);
        checkSame(asked, draftOf(input, key.mark));
        await this.checkSamePeople(agent, asked, options);
        await this.remember(agent, asked);
        return asked;
      }
      if (messages.data.length < PAGE_SIZE) return null;
    }
    return null;
  }

  /** Those who may answer the question that was found are among those who are asked now, as far as they are known. */
  private async checkSamePeople(agent: string | null, asked: Asked, { answerers, to }: AskOptions): Promise<void> {
    const notes = await this.notes(agent);
    const people = answerers ?? to;
    if (!asked.sealed || !notes || people === undefined) return;
    const ids = await Promise.all(listOf<PersonInput>(people).map((person) => knownId(notes, person)));
    const wanted = new Set(ids);
    if (wanted.has(null) || (asked.sealed.header.answerers ?? []).every((id) => wanted.has(id))) return;
    throw differs(asked, "other people were asked");
  }

  private async load(agent: string | null, sessionId: string, messageId: string, options: RequestOptions): Promise<Asked> {
    const message = await this.api.call<Message>("GET", atMessage(sessionId, messageId), options);
    this.check(message, sessionId, messageId);
    const asked = await this.mode.question(agent, message);
    await this.remember(agent, asked);
    return asked;
  }

  /** A message that is known stays the question that it is. */
  private async remember(agent: string | null, asked: Asked): Promise<void> {
    const { messageId, sessionId, sealed } = asked;
    if (sealed) await (await this.notes(agent))?.question(messageId, sessionId, sealed.digest);
    this.#remembered.set(messageId, asked);
    if (this.#remembered.size > MAX_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value as string);
  }
}

/** The question that a key was used for has to be the one that is asked now: an old approval is not for another question. */
function checkSame(asked: Asked, { plain }: Draft): void {
  const textIn = (content: unknown): unknown => (isObject(content) ? (content.text ?? null) : null);
  const isSame =
    textIn(asked.plain.content) === textIn(plain.content) &&
    canonical(asked.plain.components ?? null) === canonical(plain.components ?? null);
  if (isSame) return;
  throw differs(asked, "its text, or its components, differ");
}

function differs({ messageId, sessionId }: Asked, how: string): HiloopError {
  const message = `Another question was asked with this key: ${how}. Use a key for each question`;
  return new HiloopError(0, "QUESTION_DIFFERS", message, { details: { messageId, sessionId } });
}

/** JSON in one form: without empty members, the others in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => {
    if (!isObject(one)) return one;
    const members = Object.entries(one).filter(([, member]) => member !== null && !(Array.isArray(member) && member.length === 0));
    return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function questionIn({ plain, components, sealed }: Asked): AskedQuestion {
  const text = isObject(plain.content) ? plain.content.text : null;
  const title = components && titleIn(components);
  return { title, text: typeof text === "string" ? text : null, components, digest: sealed?.digest ?? null };
}

/** The first title of components. */
function titleIn({ data, children = [] }: ComponentNode): string | null {
  const title = isObject(data) ? data.title : null;
  if (typeof title === "string") return title;
  for (const child of children) {
    const found = titleIn(child);
    if (found !== null) return found;
  }
  return null;
}

function notOurs(id: string): HiloopError {
  return new HiloopError(0, "FOREIGN_SESSION", `The session of this key (${id}) belongs to another agent: use another key`);
}

const VERDICTS: ReadonlySet<string> = new Set(["UNVERIFIED", "KEY_CHANGED", "INVALID_ANSWER"]);

function nullIfUnverified(error: unknown): null {
  if (error instanceof Unverified) return null;
  throw error;
}

function listOf<T>(one: T | readonly T[]): readonly T[] {
  return Array.isArray(one) ? (one as readonly T[]) : [one as T];
}
