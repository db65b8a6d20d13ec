// What a conversation needs of encryption. `@hiloop/sdk/chat-e2e` implements it; a page loads that when it has to.
import type { Pair } from "../e2e/header.js";
import type { Agent, Content, Envelope, Message, Participant, Session } from "../types.js";
import type { ReadMessage, SettledBy } from "./opened.js";

/** Someone whose key is another one than before, and not confirmed. */
export interface ChangedKey {
  principalId: string;
  name: string;
  keyId: string;
}

/** Something about the others that the person has not confirmed to have seen. */
export interface News {
  /** `joined`: takes part since. `new_key`: has a new key, which the one before it signed. */
  kind: "joined" | "new_key";
  principalId: string;
  /** Of the key that is shown. */
  keyId: string;
  name: string;
}

/** Whom a message would be sealed for. */
export interface Audience {
  /** Everyone who takes part, the person among them. */
  total: number;
  reached: number;
  /** Those who are reached, with their keys, the person among them. Who joined is not before the person agrees. */
  to: readonly Pair[];
  /** The names of those who have no key yet. */
  missing: string[];
  changed: ChangedKey[];
  /** There are agents, and each has a key that is known here, whatever the hub says now. */
  reachesAgents: boolean;
  news: News[];
}

/** What is known of one safety number. */
export interface Safety {
  /** 60 digits; null where no key of theirs is known. */
  current: string | null;
  /** With the key that the hub names now, where that is another one. */
  changed: string | null;
  changedKeyId: string | null;
  /** The name by which they were met first, where the hub calls them otherwise now. */
  formerName: string | null;
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
  /** Whom the person was shown while they wrote, with their keys: it is sealed for nobody else. Null where that is not known. */
  audience?: readonly Pair[] | null;
}

/** What this browser knows of a conversation, whatever the hub says later. */
export interface SessionNote {
  /** It is encrypted, for good. */
  isSealed: boolean;
  /** The person agreed to write in plain text although its agents could encrypt. */
  allowsPlain: boolean;
  /** Who takes part as far as the person knows: named by a participant, or acknowledged. Null before something is verified. */
  people: readonly string[] | null;
  /** Before: whom the hub listed first. */
  listed?: readonly string[] | null;
}

/** Kept beyond the life of the page. */
export interface SessionMemory {
  load(sessionId: string): Promise<SessionNote>;
  save(sessionId: string, note: Partial<SessionNote>): Promise<void>;
}

export interface Sealing {
  /** The participants as they were read last. */
  participants(sessionId: string, list: readonly Participant[]): void;
  /** The conversation is encrypted: what is not is no longer authenticated. */
  expectSealed(sessionId: string): void;
  read(message: Message): Promise<ReadMessage>;
  titleOf(session: Session): Promise<string | null>;
  settledBy(question: Message): Promise<SettledBy>;
  audience(sessionId: string): Promise<Audience>;
  /** The person has seen these news of a conversation. */
  acknowledge(sessionId: string, news: readonly News[]): Promise<void>;
  /** Nobody follows who takes part any more: it is read again before something is sealed. */
  forgetParticipants(sessionId: string): void;
  /** Whether a key of the agent is known here, whatever the hub says now. */
  knowsKeyOf(agent: Agent): Promise<boolean>;
  /** Throws `KEY_CHANGED`, `NEW_KEY`, `NO_KEYS` and `DEADLINE_PASSED`. */
  seal(sessionId: string, content: Content, reply: Reply): Promise<SealedMessage>;
  /** The envelope of a message, as `seen` of another one names it; null for what is not encrypted. */
  digestOf(message: Message): string | null;
  /** What a question says that its buttons answer, and that this person may answer it. */
  mayAnswer(question: Message): string | null;
  safety(participant: Participant): Promise<Safety>;
  trust(principalId: string, keyId: string): Promise<void>;
  /** The hub's name for a participant is the right one from now on. */
  acceptName(participant: Participant): Promise<void>;
  /** Passes the keys of what was opened on to a participant; how many messages that were. */
  share(session: Session, messages: readonly Message[], participant: Participant): Promise<number>;
  /** A receipt as JSON; null where the question has no answer that is proven. */
  receipt(question: Message): Promise<string | null>;
}
