// Interactions: a session with one question, under older names.
import { Unverified } from "../e2e/errors.js";
import { HiloopError } from "../errors.js";
import { newKey } from "../http.js";
import type { ComponentNode, Contact, Interaction, Message, Page, ParticipantInput, Priority } from "../types.js";
import type { Agents } from "./agents.js";
import { type Api, atMessage } from "./api.js";
import { draftOf, type MessageInput } from "./content.js";
import type { Decision } from "./decision.js";
import type { Mode } from "./mode.js";
import { invalid, type ListOptions, type RequestOptions, type WaitOptions, type WriteOptions } from "./options.js";
import type { Questions } from "./questions.js";
import { uuid7 } from "./question-key.js";

export interface InteractionInput extends Omit<MessageInput, "inReplyTo" | "responseRequired"> {
  /** `approval` unless given. */
  type?: string | undefined;
  /** Encrypted unless the client's `encryption` is off. */
  title?: string | undefined;
  priority?: Priority | undefined;
  /** Humans by id; every human of the space unless given. */
  participants?: readonly ParticipantInput[] | undefined;
}

export class Interactions {
  constructor(
    private readonly api: Api,
    private readonly agents: Agents,
    private readonly mode: Mode,
    private readonly questions: Questions,
  ) {}

  /** Opens a session and asks in it. */
  async create(input: InteractionInput, options: WriteOptions = {}): Promise<Interaction> {
    const { type, title, participants, ...message } = input;
    const agent = this.api.agentOf(options);
    const id = uuid7(this.api.settings.platform.now());
    const own = { id, ...(type === undefined ? {} : { type }), ...(participants ? { participants } : {}) };
    const draft = draftOf({ ...message, responseRequired: true });
    if (this.api.settings.encryption === "required") await this.meet(agent, id, participants ?? null, options);
    const { body, sent } = await this.mode.message(agent, id, draft, options);
    const { responseRequired: _, ...fields } = body;
    const titled = title === undefined ? {} : await this.mode.title(agent, id, title);
    const write = { ...options, idempotencyKey: options.idempotencyKey ?? newKey() };
    const created = await this.api.write<Interaction>("/v1/agent/interactions", { ...fields, ...own, ...plainTitle(titled) }, write);
    this.forget(agent, id);
    if (this.api.settings.encryption === "required" && created.id !== id) throw new Unverified("not_our_question", "The question");
    const asked = await this.api.call<Message>("GET", atMessage(created.id, created.messageId), options);
    await this.questions.take(agent, created.id, created.messageId, asked, sent);
    await (await this.questions.notes(agent))?.interaction(created.id, created.messageId);
    if ("encryptedTitle" in titled) await this.api.call("PATCH", `/v1/agent/sessions/${id}`, options, { body: titled });
    return created;
  }

  list({ status, page, pageSize, ...options }: ListOptions & { status?: string | undefined } = {}): Promise<Page<Interaction>> {
    return this.api.call("GET", "/v1/agent/interactions", options, { query: { status, page, pageSize } });
  }

  get(id: string, options: RequestOptions = {}): Promise<Interaction> {
    return this.api.call("GET", at(id), options);
  }

  /** Waits until it is settled. */
  async await(id: string, options: WaitOptions = {}): Promise<Decision> {
    const { id: sessionId, messageId } = await this.get(id, options);
    if (this.api.settings.encryption === "required" && sessionId !== id) throw new Unverified("not_our_question", "The question");
    await (await this.questions.notes(this.api.agentOf(options)))?.interaction(id, messageId);
    return this.questions.settled(sessionId, messageId, options);
  }

  cancel(id: string, options: WriteOptions = {}): Promise<Interaction> {
    return this.api.write(at(id, "/cancel"), {}, options);
  }

  acknowledge(id: string, options: WriteOptions = {}): Promise<Interaction> {
    return this.api.write(at(id, "/acknowledge"), {}, options);
  }

  /** Appends components to what is shown with it. */
  async pushBlocks(id: string, components: ComponentNode, options: WriteOptions = {}): Promise<Interaction> {
    const encryptedBlocks = await this.mode.block(this.api.agentOf(options), id, components);
    return this.api.write(at(id, "/blocks"), { encryptedBlocks }, options);
  }

  messages(id: string, { page, pageSize, ...options }: ListOptions = {}): Promise<Page<Message>> {
    return this.api.call("GET", at(id, "/messages"), options, { query: { page, pageSize } });
  }

  send(id: string, message: string | MessageInput, options: WriteOptions = {}): Promise<Message> {
    return this.questions.send(id, message, options);
  }

  /** Pins those who will take part: the session does not exist before its question is sealed. */
  private async meet(
    agent: string | null,
    id: string,
    participants: readonly ParticipantInput[] | null,
    options: RequestOptions,
  ): Promise<void> {
    const people = participants?.map(({ type, humanId }) => {
      if (type !== "Human" || humanId === undefined)
        throw invalid("participants", "of an encrypted interaction must be humans, by id");
      return humanId;
    });
    const humans = await this.api.all<Contact>("/v1/agent/humans", options);
    const invited = people ? humans.filter((human) => people.includes(human.id)) : humans;
    if (people && invited.length < people.length)
      throw new HiloopError(0, "NOT_FOUND", "One of the participants is no human of the space");
    const { directory } = await this.agents.encrypting(agent);
    directory.expect(id, invited);
  }

  private forget(agent: string | null, id: string): void {
    if (this.api.settings.encryption === "required")
      void this.agents.encrypting(agent).then(({ directory }) => directory.expect(id, null));
  }
}

function at(id: string, rest = ""): string {
  return `/v1/agent/interactions/${encodeURIComponent(id)}${rest}`;
}

function plainTitle(titled: object): object {
  return "title" in titled ? titled : {};
}
