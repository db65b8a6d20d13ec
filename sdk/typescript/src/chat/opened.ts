// What encrypted envelopes say, once they were opened here. Kept beside the messages, not in them: what a message holds
// comes from the hub.
import { asContent, open, textOf } from "../envelope.js";
import type { OpenedMessage } from "../e2e/messages.js";
import type { Content, Envelope, Message, ParticipantType, Session } from "../types.js";

/** Whom a signature names. */
export interface Author {
  id: string;
  type: ParticipantType;
  name: string | null;
  /** Of a guest: the name of who invited them. */
  inviter: string | null;
  /** What the hub calls them now, where that is another name. */
  otherName: string | null;
  /** Signed with a key that has been replaced since. */
  hasEarlierKey: boolean;
}

export interface ReadMessage extends OpenedMessage {
  /** Of a verified message: whose signature it bears. */
  author?: Author;
}

/** What the answer to a question decided, and whether it is proven. */
export interface SettledBy {
  state: "verified" | "plain" | "unverified";
  content: Content | null;
  /** Why it is not verified. */
  problem: string | null;
  /** Of a verified answer: whose signature it bears. */
  author?: Author;
  /** Of a verified answer: when it was signed. */
  at?: string;
}

const messages = new WeakMap<Envelope, ReadMessage>();
const titles = new WeakMap<Envelope, string | null>();
/** Conversations that are known to be encrypted. */
const sealedSessions = new Set<string>();
/** Conversations whose note was read; null where no notes are kept. */
let checkedSessions: Set<string> | null = null;

/** Whether an envelope says of itself that it is encrypted by the scheme of the SDKs. */
export function isSealedByScheme(envelope: Envelope | null | undefined): boolean {
  return envelope?.scheme === "hiloop/v2";
}

type Carrier = Pick<Message, "encryptedContent" | "encryptedComponents">;

function keyOf({ encryptedContent, encryptedComponents }: Carrier): Envelope | null {
  return encryptedContent ?? encryptedComponents;
}

export function openedOf(message: Carrier | null | undefined): ReadMessage | undefined {
  const key = message && keyOf(message);
  return key ? messages.get(key) : undefined;
}

export function setOpened(message: Carrier, opened: ReadMessage): void {
  const key = keyOf(message);
  if (key) messages.set(key, opened);
}

export function forgetOpened(message: Carrier): void {
  const key = keyOf(message);
  if (key) messages.delete(key);
}

/** From now on, what is not encrypted in the conversation may be anybody's. */
export function noteSealedSession(sessionId: string): void {
  sealedSessions.add(sessionId);
}

/**
 * A page that keeps notes of conversations: before the note of one is read, nothing in clear text is taken for genuine
 * there. It may be known as encrypted.
 */
export function expectNotes(): void {
  checkedSessions ??= new Set();
}

/** What this browser knows of a conversation is known here too. */
export function noteChecked(sessionId: string): void {
  checkedSessions?.add(sessionId);
}

/** Whether a conversation is encrypted is not known yet. */
export function isUnchecked(sessionId: string): boolean {
  return checkedSessions !== null && !checkedSessions.has(sessionId) && !sealedSessions.has(sessionId);
}

/** Whether anybody, the hub too, may have written the message. */
export function isUnproven(message: Message): boolean {
  const opened = openedOf(message);
  if (opened && opened.state !== "plain") return opened.state === "not_authenticated";
  return isClearTextUnproven(message.sessionId) && !isSealedByScheme(message.encryptedContent);
}

function isClearTextUnproven(sessionId: string): boolean {
  return sealedSessions.has(sessionId) || isUnchecked(sessionId);
}

export function isTitleOpened({ encryptedTitle }: Session): boolean {
  return encryptedTitle === null || titles.has(encryptedTitle);
}

export function setTitle({ encryptedTitle }: Session, title: string | null): void {
  if (encryptedTitle) titles.set(encryptedTitle, title);
}

/** A title that can be read here: opened, or in clear text where the conversation is not encrypted. */
export function titleTextOf({ id, title, encryptedTitle }: Pick<Session, "id" | "title" | "encryptedTitle">): string | null {
  if (isSealedByScheme(encryptedTitle)) return titles.get(encryptedTitle as Envelope) ?? null;
  // In clear text it is the hub's.
  if (isClearTextUnproven(id)) return null;
  return title ?? textOf(encryptedTitle);
}

/** The content of a message as far as it can be read here. */
export function contentOf(message: Carrier | null | undefined): Content | null {
  if (!message) return null;
  const opened = openedOf(message);
  if (opened) return opened.content;
  const { encryptedContent } = message;
  const plain = encryptedContent && open(encryptedContent);
  return plain?.kind === "json" ? asContent(plain.value) : plain?.kind === "raw" ? { text: plain.text } : null;
}

/** The components of a message as far as they can be read here: any JSON. */
export function componentsOf(message: Carrier | null | undefined): unknown {
  if (!message) return null;
  const opened = openedOf(message);
  if (opened && isSealedByScheme(message.encryptedContent)) return opened.components;
  const plain = message.encryptedComponents && open(message.encryptedComponents);
  return plain?.kind === "json" ? plain.value : null;
}
