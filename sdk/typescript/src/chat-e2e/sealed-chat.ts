// The encrypted side of a chat page: opens what the hub delivers, seals what the person writes.
import { openedOf, settledByOf, type SettledBy } from "../chat/opened.js";
import type { Rest } from "../chat/rest.js";
import type { Audience, Reply, Safety, SealedMessage, Sealing } from "../chat/sealing.js";
import { checkAnswer, offeredActions } from "../e2e/answer.js";
import { fromText } from "../e2e/bytes.js";
import { Device } from "../e2e/device.js";
import { Directory, principalOf } from "../e2e/directory.js";
import { type Entry, makeEntry } from "../e2e/entries.js";
import { KeyChanged, Refused, textOfReason } from "../e2e/errors.js";
import { digestOf as digestOfHeader, type Pair } from "../e2e/header.js";
import type { KeyRing } from "../e2e/keys.js";
import { type OpenedMessage, readPlain, senderOf } from "../e2e/messages.js";
import { isSealed, type OpenedEnvelope } from "../e2e/open.js";
import { Pins } from "../e2e/pins.js";
import { makeReceipt } from "../e2e/receipts.js";
import { safetyNumber } from "../e2e/safety.js";
import { recipientsOf, Sealer } from "../e2e/sealer.js";
import type { Recipient } from "../e2e/seal.js";
import type { KeyStore } from "../e2e/store.js";
import { asContent } from "../envelope.js";
import { HiloopError } from "../errors.js";
import type { Content, Envelope, Message, Participant, Session } from "../types.js";

export interface SealedChatOptions {
  principalId: string;
  keys: KeyRing;
  store: KeyStore;
  rest: Pick<Rest, "participants" | "keys" | "send">;
  newKey: () => string;
  now?: (() => number) | undefined;
}

export class SealedChat implements Sealing {
  private readonly device: Device;
  private readonly sealer: Sealer;
  private readonly directory: Directory;
  private readonly rosters = new Map<string, readonly Participant[]>();
  /** What was opened, with its content key, by digest: for receipts and late joiners. */
  private readonly opened = new Map<string, OpenedEnvelope>();
  /** What was verified, by message, and titles, by session: the list of conversations is read again and again. */
  private readonly messages = new Map<string, { envelope: Envelope; opened: OpenedMessage }>();
  private readonly titles = new Map<string, { envelope: Envelope; title: string }>();
  /** One at a time: what is read later may depend on what was read before. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SealedChatOptions) {
    const { principalId, keys, store, rest, now } = options;
    this.device = new Device({ principalId, keys, pins: new Pins({ store, now }), now });
    this.directory = new Directory(this.device, {
      participants: async (session) => [...(this.rosters.get(session) ?? (await rest.participants(session)))],
      keys: (session) => rest.keys(session),
    });
    this.sealer = new Sealer(this.device, this.directory, (one) => this.opened.set(one.digest, one));
  }

  participants(sessionId: string, list: readonly Participant[]): void {
    if (list.length === 0) return;
    this.rosters.set(sessionId, list);
    this.directory.forgetUnknown();
  }

  read(message: Message): Promise<OpenedMessage> {
    const { id, sessionId, encryptedContent, encryptedComponents } = message;
    const known = this.messages.get(`${sessionId} ${senderOf(message)} ${id}`);
    if (known && !encryptedComponents && isSame(known.envelope, encryptedContent)) return Promise.resolve(known.opened);
    return this.inTurn(async () => {
      const [opened] = (await this.sealer.reader.readAll([message])) as [OpenedMessage];
      if (opened.state === "verified" && encryptedContent)
        remember(this.messages, `${sessionId} ${senderOf(message)} ${id}`, { envelope: encryptedContent, opened });
      return opened;
    });
  }

  titleOf(session: Session): Promise<string | null> {
    const { id, encryptedTitle } = session;
    const known = this.titles.get(id);
    if (known && isSame(known.envelope, encryptedTitle)) return Promise.resolve(known.title);
    return this.inTurn(async () => {
      const title = await this.sealer.titleOf(session);
      if (title !== null && encryptedTitle) remember(this.titles, id, { envelope: encryptedTitle, title });
      return title;
    });
  }

  async settledBy(question: Message): Promise<SettledBy> {
    const known = settledByOf(question.response);
    return known ?? this.inTurn(async () => (await this.answerTo(question)).settled);
  }

  async audience(sessionId: string): Promise<Audience> {
    const members = await this.directory.members(sessionId);
    const changed = members.flatMap(({ change, participant }) =>
      change ? [{ principalId: change.principalId, keyId: change.keyId, name: participant.name ?? "Someone" }] : [],
    );
    const missing = members.filter(({ recipient, change }) => !recipient && !change).map(({ participant }) => participant.name ?? "someone");
    return { total: members.length, reached: recipientsOf(members).length, missing, changed };
  }

  async seal(sessionId: string, content: Content, { inReplyTo, settles }: Reply): Promise<SealedMessage> {
    const members = await this.directory.members(sessionId);
    for (const { change, participant } of members) if (change) throw changedKey(change, participant.name);
    const to = recipientsOf(members);
    if (to.every(({ principalId }) => principalId === this.options.principalId))
      throw new HiloopError(0, "NO_KEYS", "Nobody else here has an encryption key yet: there is nobody to write this for.");
    const parent = inReplyTo ? await this.digestToAnswer(inReplyTo) : null;
    const sealed = await this.sealer.sealFor(to, sessionId, settles ? "answer" : "message", { content }, parent);
    return { envelope: sealed.envelope, delivered: ({ id, seq }) => this.device.delivered(sealed, id, seq) };
  }

  /** The title of a conversation that is about to be opened. */
  async sealTitle(sessionId: string, text: string, agents: readonly { id: string; key: object | null }[]): Promise<Envelope> {
    const to: Recipient[] = [];
    for (const { id, key } of agents) {
      if (key) await this.device.pins.see(id, key);
      const change = this.device.pins.changeOf(id);
      if (change) throw changedKey(change, null);
      const keys = await this.device.pins.current(id);
      if (keys) to.push({ principalId: id, keys });
    }
    return (await this.sealer.sealFor(to, sessionId, "title", { content: { text } })).envelope;
  }

  digestOf({ encryptedContent }: Message): string | null {
    const header = isSealed(encryptedContent) ? fromText((encryptedContent as { header?: unknown }).header) : null;
    return header && digestOfHeader(header);
  }

  mayAnswer(question: Message): string | null {
    const one = this.openedBy(question);
    if (!one) return "This request is not authenticated and can't be answered.";
    if (one.header.kind !== "question") return "Its sender did not ask this as a question, so it can't be answered.";
    if (!one.header.answerers?.includes(this.options.principalId)) return "Only those who were asked may answer this.";
    return null;
  }

  async safety(participant: Participant): Promise<Safety> {
    const principalId = principalOf(participant);
    const own = { principalId: this.options.principalId, keys: this.device.keys.current };
    const pin = await this.options.store.loadPin(principalId);
    const change = this.device.pins.changeOf(principalId);
    const entry = change && this.device.pins.entry({ id: principalId, keyId: change.keyId });
    return {
      current: pin ? safetyNumber(own, { principalId, keys: pin }) : null,
      changed: entry ? safetyNumber(own, { principalId, keys: entry }) : null,
      changedKeyId: change?.keyId ?? null,
    };
  }

  async trust(principalId: string, keyId: string): Promise<void> {
    await this.device.pins.trust(principalId, keyId);
    this.directory.forgetUnknown();
  }

  async share(session: Session, messages: readonly Message[], participant: Participant): Promise<number> {
    const members = await this.directory.members(session.id);
    const member = members.find(({ principalId }) => principalId === principalOf(participant));
    if (member?.change) throw changedKey(member.change, participant.name);
    if (!member?.recipient) throw new HiloopError(0, "NO_KEYS", `${participant.name ?? "This participant"} has no encryption key yet.`);
    const digests = [session.encryptedTitle, ...messages.map(({ encryptedContent }) => encryptedContent)].map((envelope) =>
      this.digestOf({ encryptedContent: envelope } as Message),
    );
    const known = digests.flatMap((digest) => (digest === null ? [] : (this.opened.get(digest) ?? [])));
    const history = known.filter(({ plain }) => !("keys" in plain));
    for (const sealed of await this.sealer.sealHistory(session.id, member.recipient, history)) {
      const message = await this.options.rest.send(session.id, { encryptedContent: sealed.envelope }, this.options.newKey());
      this.device.delivered(sealed, message.id, message.seq);
    }
    return history.length;
  }

  async receipt(question: Message): Promise<string | null> {
    const asked = this.openedBy(question);
    const { answer } = await this.inTurn(() => this.answerTo(question));
    const envelope = question.response?.encryptedContent;
    if (!asked || !answer || !envelope || !question.encryptedContent) return null;
    const entries = [asked.header.from, answer.header.from].map((pair) => this.entryOf(pair));
    if (entries.some((entry) => entry === null)) return null;
    const receipt = makeReceipt(
      { envelope: question.encryptedContent, contentKey: asked.contentKey },
      { envelope, contentKey: answer.contentKey },
      entries as ({ principalId: string } & Entry)[],
    );
    return `${JSON.stringify(receipt, null, 2)}\n`;
  }

  /** The answer that the hub names, and whether it answers this question. */
  private async answerTo(question: Message): Promise<{ settled: SettledBy; answer: OpenedEnvelope | null }> {
    const { response } = question;
    const unverified = (problem: string): { settled: SettledBy; answer: null } => ({
      settled: { state: "unverified", content: null, problem },
      answer: null,
    });
    if (!response) return unverified(textOfReason("no_answer"));
    const asked = this.openedBy(question);
    if (!asked) {
      if (isSealed(question.encryptedContent) || this.device.isSealedSession(question.sessionId)) return unverified(textOfReason("scheme"));
      const plain = readPlain(response.encryptedContent, response.encryptedComponents);
      return { settled: { state: "plain", content: plain.content, problem: null }, answer: null };
    }
    try {
      const sender = response.respondedBy.id ?? "";
      if (response.encryptedComponents) throw new Refused("scheme");
      const answer = await this.sealer.reader.openEnvelope(response.encryptedContent, question.sessionId, sender, response.messageId);
      const facts = { digest: asked.digest, header: asked.header, actions: offeredActions(asked.plain.components) };
      // Read back later, perhaps after the deadline: the signed time of the answer counts.
      checkAnswer(answer, facts, Date.parse(answer.header.at));
      return { settled: { state: "verified", content: asContent(answer.plain.content), problem: null }, answer };
    } catch (error) {
      if (error instanceof Refused) return unverified(textOfReason(error.reason));
      throw error;
    }
  }

  /** The envelope of a message that was opened here. */
  private openedBy(message: Message): OpenedEnvelope | null {
    const digest = this.digestOf(message);
    const one = digest === null ? undefined : this.opened.get(digest);
    // The hub may deliver one envelope as two messages: the second one was not accepted.
    if (openedOf(message)?.state !== "verified") return null;
    return one && one.header.session === message.sessionId && one.header.from.id === senderOf(message) ? one : null;
  }

  private async digestToAnswer(message: Message): Promise<string | null> {
    if (!isSealed(message.encryptedContent)) return null;
    const digest = this.openedBy(message)?.digest;
    if (!digest) throw new HiloopError(0, "NOT_AUTHENTICATED", "This request does not open here, so it can't be answered.");
    return digest;
  }

  private entryOf(pair: Pair): ({ principalId: string } & Entry) | null {
    const { principalId } = this.options;
    const own = pair.id === principalId ? this.device.keys.find(pair.keyId) : undefined;
    const entry = own ? makeEntry(principalId, own) : this.device.pins.entry(pair);
    return entry ? { principalId: pair.id, ...entry } : null;
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.last.then(work);
    this.last = next.catch(() => undefined);
    return next;
  }
}

/** What is remembered of one kind; the oldest is forgotten beyond it. */
const MAX_REMEMBERED = 2_000;

function remember<T>(known: Map<string, T>, key: string, value: T): void {
  known.set(key, value);
  if (known.size > MAX_REMEMBERED) known.delete(known.keys().next().value as string);
}

function isSame(known: Envelope, other: Envelope | null): boolean {
  return JSON.stringify(known) === JSON.stringify(other);
}

function changedKey({ keyId, principalId }: KeyChanged, name: string | null): HiloopError {
  const message = `The encryption key of ${name ?? "a participant"} has changed. Compare the safety number and confirm the new key first.`;
  return new HiloopError(0, "KEY_CHANGED", message, { details: { principalId, keyId } });
}
