// End-to-end encryption: what an agent seals, and which answers count.
import { checkAnswer, checkAnswerKey, offeredActions } from "../e2e/answer.js";
import type { Member } from "../e2e/directory.js";
import { checkedEntry, type Entry, makeEntry } from "../e2e/entries.js";
import { Refused, Unverified } from "../e2e/errors.js";
import type { Pair } from "../e2e/header.js";
import type { Pins } from "../e2e/pins.js";
import { isComponent, NOT_ON_TIMELINE, type OpenedMessage, senderOf } from "../e2e/messages.js";
import { isSealed, type OpenedEnvelope, unverifiedHeader } from "../e2e/open.js";
import { makeReceipt, type Receipt } from "../e2e/receipts.js";
import { type SealedEnvelope } from "../e2e/seal.js";
import { asContent } from "../envelope.js";
import type { AgentSelf, ComponentNode, Envelope, Message } from "../types.js";
import type { Agents, EncryptingAgent } from "./agents.js";
import type { Answerers } from "./answerers.js";
import { type Draft, openFields } from "./content.js";
import { answered, type Decision, unanswered } from "./decision.js";
import type { Asked, Mode, Outgoing } from "./mode.js";
import type { WaitOptions } from "./options.js";
import { remarkOf } from "./plain-mode.js";
import { MARK } from "./question-key.js";

export interface SealedModeOptions {
  agents: Agents;
  answerers: Answerers;
  message(agent: string | null, sessionId: string, messageId: string): Promise<Message>;
  now(): number;
  /** Called with the participants of a session whenever they are read. */
  onMembers(agent: string | null, sessionId: string, members: readonly Member[]): void;
}

export class SealedMode implements Mode {
  constructor(private readonly options: SealedModeOptions) {}

  async message(agent: string | null, sessionId: string, draft: Draft, wait: WaitOptions): Promise<Outgoing> {
    const { device, directory } = await this.options.agents.encrypting(agent);
    const { responseRequired, deadlineAt } = draft;
    const choice = responseRequired
      ? await this.options.answerers.choose(() => directory.members(sessionId), draft, wait)
      : { members: await directory.members(sessionId), answerers: null };
    this.options.onMembers(agent, sessionId, choice.members);
    const parent = draft.inReplyTo === undefined ? null : await this.digestOf(agent, sessionId, draft.inReplyTo);
    const sealed = await device.seal({
      kind: responseRequired ? "question" : "message",
      session: sessionId,
      plain: draft.plain,
      to: recipients(choice.members, draft.recipients),
      parent,
      deadlineAt,
      answerers: choice.answerers,
    });
    const sent = (message: Message): Asked | null => {
      device.delivered(sealed, message.id, message.seq);
      if (!responseRequired) return null;
      return { sessionId, messageId: message.id, components: draft.components, deadlineAt, mark: draft.mark, plain: { ...draft.plain }, sealed };
    };
    return { body: { encryptedContent: sealed.envelope, ...openFields({ ...draft, answerers: choice.answerers }) }, sent };
  }

  async title(
    agent: string | null,
    sessionId: string,
    title: string,
    to: readonly string[] | null = null,
  ): Promise<{ encryptedTitle: Envelope }> {
    return { encryptedTitle: await this.seal(agent, sessionId, "title", { content: { text: title } }, to) };
  }

  block(agent: string | null, sessionId: string, components: ComponentNode): Promise<Envelope> {
    return this.seal(agent, sessionId, "block", { components });
  }

  async titleOf(
    agent: string | null,
    session: { id: string; title: string | null; encryptedTitle: Envelope | null },
  ): Promise<string | null> {
    const { id, title, encryptedTitle } = session;
    // The hub does not name the author of a title: any participant may be it.
    const from = unverifiedHeader(encryptedTitle)?.from;
    if (!from) return encryptedTitle ? null : title;
    const { reader } = await this.options.agents.encrypting(agent);
    try {
      const { header, plain } = await reader.openEnvelope(encryptedTitle, id, from.id, `title of ${id}`, NOT_ON_TIMELINE);
      return header.kind === "title" ? (asContent(plain.content)?.text ?? null) : null;
    } catch (error) {
      if (error instanceof Refused) return null;
      throw error;
    }
  }

  async question(agent: string | null, message: Message): Promise<Asked> {
    const { me, reader } = await this.options.agents.encrypting(agent);
    const { encryptedContent, encryptedComponents, id, seq, sessionId } = message;
    let opened: OpenedEnvelope;
    try {
      opened = await reader.openEnvelope(encryptedContent, sessionId, me.id, id, seq);
    } catch (error) {
      throw error instanceof Refused ? new Unverified(error.reason, "The question") : error;
    }
    const { header, digest, contentKey, plain } = opened;
    if (header.kind !== "question" || senderOf(message) !== me.id || encryptedComponents)
      throw new Unverified("not_our_question", "The question");
    const mark = (plain.content as Record<string, unknown> | undefined)?.[MARK];
    return {
      sessionId,
      messageId: id,
      components: isComponent(plain.components) ? plain.components : null,
      plain,
      deadlineAt: header.deadlineAt,
      mark: typeof mark === "string" ? mark : null,
      sealed: { header, digest, contentKey, envelope: encryptedContent as SealedEnvelope },
    };
  }

  async decision(agent: string | null, asked: Asked, settled: Message): Promise<Decision> {
    if (settled.status !== "Completed") return unanswered(settled);
    const { response } = settled;
    const { sealed, components, sessionId } = asked;
    if (!sealed) throw new Unverified("not_our_question", "The question");
    if (!response?.respondedBy.id) throw new Unverified("no_answer");
    if (response.encryptedComponents) throw new Unverified("scheme");
    const encrypting = await this.options.agents.encrypting(agent);
    const { reader, device, notes } = encrypting;
    let opened: OpenedEnvelope;
    try {
      opened = await reader.openEnvelope(response.encryptedContent, sessionId, response.respondedBy.id, response.messageId);
      await checkKey(device.pins, opened.header.from, sealed.header.to);
      checkAnswer(
        opened,
        { digest: sealed.digest, header: sealed.header, actions: offeredActions(components) },
        await notes.firstSeen(opened.digest, this.options.now()),
      );
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.reason === "key_changed") throw device.pins.changeOf(response.respondedBy.id) ?? new Unverified("key_changed");
      throw new Unverified(error.reason);
    }
    const receipt = await this.receipt(encrypting, asked, response.encryptedContent as Envelope, opened);
    return answered(settled, asContent(opened.plain.content), components, undefined, receipt);
  }

  async remark(agent: string | null, message: Message): Promise<Decision> {
    const { directory, me } = await this.options.agents.encrypting(agent);
    const [opened] = await this.read(agent, [message]);
    if (opened?.state !== "verified" || !opened.header || !opened.digest)
      throw new Unverified(opened?.reason ?? "scheme", "The message");
    const { header, content, digest } = opened;
    const { id } = header.from;
    if (header.kind !== "message") throw new Unverified("not_a_remark", "The message");
    const participants = await directory.members(message.sessionId);
    const author = participants.find(({ principalId }) => principalId === id)?.participant;
    if (id === me.id || message.senderAgentId !== null || author?.type === "Agent") throw new Unverified("not_a_person", "The message");
    const { notes } = await this.options.agents.encrypting(agent);
    await notes.message(message.id, digest);
    return remarkOf(message, content, header);
  }

  async read(agent: string | null, messages: readonly Message[]): Promise<OpenedMessage[]> {
    if (messages.length === 0) return [];
    const { reader } = await this.options.agents.encrypting(agent);
    return reader.readAll(messages);
  }

  private async receipt(
    encrypting: EncryptingAgent,
    asked: Asked,
    answer: Envelope,
    opened: OpenedEnvelope,
  ): Promise<(() => Receipt) | null> {
    const { device, directory, me } = encrypting;
    const { sealed } = asked;
    const pair = sealed && device.keys.find(sealed.header.from.keyId);
    const { from } = opened.header;
    if (!device.pins.entry(from)) await directory.members(asked.sessionId);
    if (!device.pins.entry(from)) await directory.learn(asked.sessionId, from);
    const entry = device.pins.entry(from);
    if (!sealed || !pair || !entry) return null;
    const entries = [
      { principalId: me.id, ...makeEntry(me.id, pair), ...attestationOf(me, pair.keyId) },
      { principalId: from.id, ...entry },
    ];
    return () => makeReceipt(sealed, { envelope: answer, contentKey: opened.contentKey }, entries);
  }

  private async seal(
    agent: string | null,
    sessionId: string,
    kind: "title" | "block",
    plain: object,
    to: readonly string[] | null = null,
  ): Promise<Envelope> {
    const { device, directory } = await this.options.agents.encrypting(agent);
    const members = await directory.members(sessionId);
    this.options.onMembers(agent, sessionId, members);
    return (await device.seal({ kind, session: sessionId, plain, to: recipients(members, to) })).envelope;
  }

  /** Null where the message that is replied to is not encrypted, or is none that can be opened. */
  private async digestOf(agent: string | null, sessionId: string, messageId: string): Promise<string | null> {
    const message = await this.options.message(agent, sessionId, messageId);
    if (!isSealed(message.encryptedContent)) return null;
    const [opened] = await this.read(agent, [message]);
    return opened?.digest ?? null;
  }
}

/** What the owner of the space stated about the agent's own key. */
function attestationOf({ id, key }: AgentSelf, keyId: string): Pick<Entry, "attestation"> {
  const entry = checkedEntry(id, key);
  return entry?.attestation && entry.keyId === keyId ? { attestation: entry.attestation } : {};
}

/** Of those who take part: all, or the named ones. */
function recipients(members: readonly Member[], only: readonly string[] | null) {
  return members.flatMap(({ recipient, principalId }) => (recipient && (!only || only.includes(principalId)) ? recipient : []));
}

async function checkKey(pins: Pins, from: Pair, to: readonly Pair[]): Promise<void> {
  const current = await pins.current(from.id);
  if (!current) throw new Refused(pins.changeOf(from.id) ? "key_changed" : "not_attested");
  checkAnswerKey(from, to, current);
}
