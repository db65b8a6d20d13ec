// What encrypted envelopes say, once they were opened here. Kept beside the messages, not in them: what a message holds
// comes from the hub.
import { asContent, open, textOf } from "../envelope.js";
import type { OpenedMessage } from "../e2e/messages.js";
import type { Content, Envelope, Message, MessageResponse, Session } from "../types.js";

/** What the answer to a question decided, and whether it is proven. */
export interface SettledBy {
  state: "verified" | "plain" | "unverified";
  content: Content | null;
  /** Why it is not verified. */
  problem: string | null;
}

const messages = new WeakMap<Envelope, OpenedMessage>();
const titles = new WeakMap<Envelope, string | null>();
const answers = new WeakMap<Envelope, SettledBy>();

/** Whether an envelope says of itself that it is encrypted by the scheme of the SDKs. */
export function isSealedByScheme(envelope: Envelope | null | undefined): boolean {
  return envelope?.scheme === "hiloop/v2";
}

type Carrier = Pick<Message, "encryptedContent" | "encryptedComponents">;

function keyOf({ encryptedContent, encryptedComponents }: Carrier): Envelope | null {
  return encryptedContent ?? encryptedComponents;
}

export function openedOf(message: Carrier | null | undefined): OpenedMessage | undefined {
  const key = message && keyOf(message);
  return key ? messages.get(key) : undefined;
}

export function setOpened(message: Carrier, opened: OpenedMessage): void {
  const key = keyOf(message);
  if (key) messages.set(key, opened);
}

export function forgetOpened(message: Carrier): void {
  const key = keyOf(message);
  if (key) messages.delete(key);
}

export function settledByOf(response: MessageResponse | null): SettledBy | undefined {
  const key = response && keyOf(response);
  return key ? answers.get(key) : undefined;
}

export function setSettledBy(response: MessageResponse, settledBy: SettledBy | null): void {
  const key = keyOf(response);
  if (key && settledBy) answers.set(key, settledBy);
  else if (key) answers.delete(key);
}

export function isTitleOpened({ encryptedTitle }: Session): boolean {
  return encryptedTitle === null || titles.has(encryptedTitle);
}

export function setTitle({ encryptedTitle }: Session, title: string | null): void {
  if (encryptedTitle) titles.set(encryptedTitle, title);
}

/** A title that can be read here: in clear text, or opened. */
export function titleTextOf({ title, encryptedTitle }: Pick<Session, "title" | "encryptedTitle">): string | null {
  if (encryptedTitle && titles.has(encryptedTitle)) return titles.get(encryptedTitle) ?? null;
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
