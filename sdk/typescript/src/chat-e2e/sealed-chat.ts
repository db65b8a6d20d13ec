// The encrypted side of a chat page: opens what the hub delivers, seals what the person writes.
import { claimedAuthor, type Claimed, claimedResponder } from "../chat/author.js";
import { type Author, openedOf, type ReadMessage, type SettledBy } from "../chat/opened.js";
import type { Rest } from "../chat/rest.js";
import type { Audience, News, Reply, Safety, SealedMessage, Sealing } from "../chat/sealing.js";
import { checkAnswer, checkAnswerKey, offeredActions } from "../e2e/answer.js";
import { fromText } from "../e2e/bytes.js";
import { Device } from "../e2e/device.js";
import { Directory, principalOf } from "../e2e/directory.js";
import { type Entry, makeEntry } from "../e2e/entries.js";
import { Refused, textOfReason } from "../e2e/errors.js";
import { digestOf as digestOfHeader, type Header, type Pair } from "../e2e/header.js";
import type { KeyRing } from "../e2e/keys.js";
import { type OpenedMessage, readPlain, senderOf } from "../e2e/messages.js";
import { isSealed, type OpenedEnvelope } from "../e2e/open.js";
import { Pins } from "../e2e/pins.js";
import { makeReceipt } from "../e2e/receipts.js";
import { safetyNumber } from "../e2e/safety.js";
import { Sealer } from "../e2e/sealer.js";
import type { Recipient } from "../e2e/seal.js";
import type { KeyStore } from "../e2e/store.js";
import { asContent } from "../envelope.js";
import { HiloopError } from "../errors.js";
import type { Agent, Content, Envelope, Message, Participant, Session } from "../types.js";
import { Audiences, changedKey } from "./audiences.js";
import { People } from "./people.js";
import type { Records } from "./records.js";
import { SessionNotes } from "./session-notes.js";

export interface SealedChatOptions {
  principalId: string;
  keys: KeyRing;
  store: KeyStore;
  records: Records;
  rest: Pick<Rest, "participants" | "keys" | "send">;
  newKey: () => string;
  now?: (() => number) | undefined;
}

export class SealedChat implements Sealing {
  private readonly device: Device;
  private readonly sealer: Sealer;
  private readonly directory: Directory;
  private readonly people: People;
  private readonly audiences: Audiences;
  private readonly now: () => number;
  private readonly rosters = new Map<string, readonly Participant[]>();
  /** What was opened, with its content key, by digest: for receipts and late joiners. */
  private readonly opened = new Map<string, OpenedEnvelope>();
  /** What was verified, by message, and titles, by session: the list of conversations is read again and again. */
  private readonly messages = new Map<string, { envelope: Envelope; fields: string; opened: ReadMessage }>();
  private readonly titles = new Map<string, { envelope: Envelope; title: string }>();
  /** One at a time: what is read later may depend on what was read before. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: SealedChatOptions) {
    const { principalId, keys, store, records, rest, now } = options;
    this.people = new People(records);
    this.now = now ?? Date.now;
    const onReplaced = (change: { principalId: string; keyId: string }): void => {
      this.people.noteNewKey(change.principalId, change.keyId).catch((error: unknown) => console.error(error));
    };
    const expected = async (id: string): Promise<string | null> => (await this.people.load(id))?.expectedKeyId ?? null;
    this.device = new Device({ principalId, keys, pins: new Pins({ store, now, onReplaced, expected }), now });
    this.directory = new Directory(this.device, {
      participants: async (session) => [...(this.rosters.get(session) ?? (await rest.participants(session)))],
      keys: (session) => rest.keys(session),
    });
    this.sealer = new Sealer(this.device, this.directory, (one) => this.opened.set(one.digest, one));
    const { directory, people } = this;
    const firstNamed = (sessionId: string): string[] | null => this.firstNamed(sessionId);
    this.audiences = new Audiences({ principalId, directory, people, notes: new SessionNotes(records), firstNamed });
  }

  /** Of the person's own key. */
  get keyId(): string {
    return this.device.keys.current.keyId;
  }

  participants(sessionId: string, list: readonly Participant[]): void {
    if (list.length === 0) return;
    this.rosters.set(sessionId, list);
    this.directory.forgetUnknown();
  }

  expectSealed(sessionId: string): void {
    this.device.expectSealed(sessionId);
  }

  read(message: Message): Promise<ReadMessage> {
    const { id, sessionId, encryptedContent, encryptedComponents } = message;
    const key = `${sessionId} ${senderOf(message)} ${id}`;
    const fields = clearFields(message);
    const known = this.messages.get(key);
    if (known?.fields === fields && !encryptedComponents && isSame(known.envelope, encryptedContent)) return Promise.resolve(known.opened);
    return this.inTurn(async () => {
      const [read] = (await this.sealer.reader.readAll([message])) as [OpenedMessage];
      const opened = read.state === "verified" && read.header ? await this.signed(read, read.header, message) : read;
      if (opened.state === "verified" && encryptedContent) remember(this.messages, key, { envelope: encryptedContent, fields, opened });
      return opened;
    });
  }

  /** A verified message with its author; refused where the hub names an author of another type. */
  private async signed(opened: OpenedMessage, header: Header, message: Message): Promise<ReadMessage> {
    const author = await this.authorOf(header.from, this.claimOf(message));
    if (author) return { ...opened, author };
    const refused = { state: "not_authenticated", reason: "sender", problem: textOfReason("sender") } as const;
    return { ...opened, ...refused, content: null, components: null };
  }

  /** What the hub says of the sender of a message; its list of participants says more. */
  private claimOf(message: Message): Claimed {
    const claimed = claimedAuthor(message);
    const listed = this.rosters.get(message.sessionId)?.find((one) => principalOf(one) === claimed.id);
    return { ...claimed, inviter: listed?.invitedBy?.name ?? null };
  }

  /** Null where the hub names another type than before. */
  private async authorOf({ id, keyId }: Pair, claimed: Claimed): Promise<Author | null> {
    const { type, name, inviter } = await this.people.meet(id, claimed);
    if (type !== claimed.type) return null;
    const isOwn = id === this.options.principalId;
    const current = isOwn ? this.device.keys.current : await this.options.store.loadPin(id);
    const otherName = claimed.name !== null && claimed.name !== name ? claimed.name : null;
    return { id, type, name, inviter, otherName, hasEarlierKey: current?.keyId !== keyId };
  }

  titleOf(session: Session): Promise<string | null> {
    const { id, encryptedTitle } = session;
    const known = this.titles.get(id);
    if (known && isSame(known.envelope, encryptedTitle)) return Promise.resolve(known.title);
    if (!isSealed(encryptedTitle) && this.device.isSealedSession(id)) return Promise.resolve(null);
    return this.inTurn(async () => {
      const title = await this.sealer.titleOf(session);
      if (title !== null && encryptedTitle) remember(this.titles, id, { envelope: encryptedTitle, title });
      return title;
    });
  }

  settledBy(question: Message): Promise<SettledBy> {
    return this.inTurn(async () => (await this.answerTo(question)).settled);
  }

  audience(sessionId: string): Promise<Audience> {
    return this.audiences.of(sessionId);
  }

  acknowledge(sessionId: string, news: readonly News[]): Promise<void> {
    return this.audiences.acknowledge(sessionId, news);
  }

  forgetParticipants(sessionId: string): void {
    this.rosters.delete(sessionId);
  }

  async knowsKeyOf({ id, key }: Agent): Promise<boolean> {
    if (key) await this.device.pins.see(id, key);
    return (await this.options.store.loadPin(id)) !== null;
  }

  async seal(sessionId: string, content: Content, { inReplyTo, settles, audience }: Reply): Promise<SealedMessage> {
    const question = inReplyTo ? this.openedToAnswer(inReplyTo) : null;
    const to = await this.audiences.recipients(sessionId, question?.header ?? null, audience ?? null);
    const deadlineAt = settles ? question?.header.deadlineAt : null;
    if (deadlineAt && this.now() >= Date.parse(deadlineAt)) throw new HiloopError(0, "DEADLINE_PASSED", "Its time ran out before your answer was sent.");
    const sealed = await this.sealer.sealFor(to, sessionId, settles ? "answer" : "message", { content }, question?.digest ?? null);
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
    const known = await this.people.load(principalId);
    return {
      formerName: known?.name && known.name !== participant.name ? known.name : null,
      current: pin ? safetyNumber(own, { principalId, keys: pin }) : null,
      changed: entry ? safetyNumber(own, { principalId, keys: entry }) : null,
      changedKeyId: change?.keyId ?? null,
    };
  }

  async trust(principalId: string, keyId: string): Promise<void> {
    await this.device.pins.trust(principalId, keyId);
    this.directory.forgetUnknown();
  }

  async acceptName(participant: Participant): Promise<void> {
    if (participant.name) await this.people.rename(principalOf(participant), participant.name);
    this.messages.clear();
  }

  async share(session: Session, messages: readonly Message[], participant: Participant): Promise<number> {
    const members = await this.directory.members(session.id);
    const member = members.find(({ principalId }) => principalId === principalOf(participant));
    if (member?.change) throw changedKey(member.change, participant.name);
    if (!member?.recipient) throw new HiloopError(0, "NO_KEYS", `${participant.name ?? "This participant"} has no encryption key yet.`);
    // What the hub shows here of other conversations stays there.
    const title = this.opened.get(this.digestOf({ encryptedContent: session.encryptedTitle } as Message) ?? "");
    const known = [title?.header.session === session.id ? title : null, ...messages.map((message) => this.openedBy(message, session.id))];
    const history = known.flatMap((one) => (one && !("keys" in one.plain) ? one : []));
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
      const { from, at } = answer.header;
      await this.checkKey(from, asked.header.to);
      const facts = { digest: asked.digest, header: asked.header, actions: offeredActions(asked.plain.components) };
      // Read back later, perhaps after the deadline: the signed time of the answer counts.
      checkAnswer(answer, facts, Date.parse(at));
      const author = await this.authorOf(from, claimedResponder(response.respondedBy));
      if (!author) throw new Refused("sender");
      return { settled: { state: "verified", content: asContent(answer.plain.content), problem: null, author, at }, answer };
    } catch (error) {
      if (error instanceof Refused) return unverified(textOfReason(error.reason));
      throw error;
    }
  }

  private async checkKey(from: Pair, to: readonly Pair[]): Promise<void> {
    const isOwn = from.id === this.options.principalId;
    const current = isOwn ? this.device.keys.current : await this.device.pins.current(from.id);
    if (!current) throw new Refused(this.device.pins.changeOf(from.id) ? "key_changed" : "not_attested");
    checkAnswerKey(from, to, current);
  }

  /** The envelope of a message that was opened here, in its session. */
  private openedBy(message: Message, sessionId = message.sessionId): OpenedEnvelope | null {
    const digest = this.digestOf(message);
    const one = digest === null ? undefined : this.opened.get(digest);
    // The hub may deliver one envelope as two messages: the second one was not accepted.
    if (openedOf(message)?.state !== "verified") return null;
    return one && one.header.session === sessionId && one.header.from.id === senderOf(message) ? one : null;
  }

  private openedToAnswer(message: Message): OpenedEnvelope | null {
    if (!isSealed(message.encryptedContent)) return null;
    const one = this.openedBy(message);
    if (!one) throw new HiloopError(0, "NOT_AUTHENTICATED", "This request does not open here, so it can't be answered.");
    return one;
  }

  /** Those to whom the earliest envelope was sealed that was opened of a conversation; keys that were passed on say nothing of that. */
  private firstNamed(sessionId: string): string[] | null {
    const here = [...this.opened.values()].filter(({ header, plain }) => header.session === sessionId && header.kind !== "answer" && !("keys" in plain));
    const first = here.reduce<OpenedEnvelope | null>((a, b) => (a && a.header.at <= b.header.at ? a : b), null);
    return first && [...new Set([first.header.from, ...first.header.to].map(({ id }) => id))];
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

/** What of a message is compared with what was signed. */
function clearFields({ responseRequired, deadlineAt, answerers, senderType, senderName }: Message): string {
  return JSON.stringify([responseRequired, deadlineAt, answerers, senderType, senderName]);
}

function isSame(known: Envelope, other: Envelope | null): boolean {
  return JSON.stringify(known) === JSON.stringify(other);
}
