// What a conversation needs of encryption. `@hiloop/sdk/chat-e2e` implements it; a page loads that when it has to.
import type { OpenedMessage } from "../e2e/messages.js";
import type { Content, Envelope, Message, Participant, Session } from "../types.js";
import type { SettledBy } from "./opened.js";

/** Someone whose key is another one than before, and not confirmed. */
export interface ChangedKey {
  principalId: string;
  name: string;
  keyId: string;
}

/** Whom a message would be sealed for. */
export interface Audience {
  /** Everyone who takes part, the person among them. */
  total: number;
  reached: number;
  /** The names of those who have no key yet. */
  missing: string[];
  changed: ChangedKey[];
}

/** What is known of one safety number. */
export interface Safety {
  /** 60 digits; null where no key of theirs is known. */
  current: string | null;
  /** With the key that the hub names now, where that is another one. */
  changed: string | null;
  changedKeyId: string | null;
}

export interface SealedMessage {
  envelope: Envelope;
  /** To be called once the message is on the timeline. */
  delivered(message: Message): void;
}

export interface Reply {
  inReplyTo: Message | null;
  /** It answers a question. */
  settles: boolean;
}

export interface Sealing {
  /** The participants as they were read last. */
  participants(sessionId: string, list: readonly Participant[]): void;
  read(message: Message): Promise<OpenedMessage>;
  titleOf(session: Session): Promise<string | null>;
  settledBy(question: Message): Promise<SettledBy>;
  audience(sessionId: string): Promise<Audience>;
  /** Throws `KEY_CHANGED` and `NO_KEYS`. */
  seal(sessionId: string, content: Content, reply: Reply): Promise<SealedMessage>;
  /** The envelope of a message, as `seen` of another one names it; null for what is not encrypted. */
  digestOf(message: Message): string | null;
  /** What a question says that its buttons answer, and that this person may answer it. */
  mayAnswer(question: Message): string | null;
  safety(participant: Participant): Promise<Safety>;
  trust(principalId: string, keyId: string): Promise<void>;
  /** Passes the keys of what was opened on to a participant; how many messages that were. */
  share(session: Session, messages: readonly Message[], participant: Participant): Promise<number>;
  /** A receipt as JSON; null where the question has no answer that is proven. */
  receipt(question: Message): Promise<string | null>;
}
