// How messages are sealed and answers are read: encrypted end to end, or readable by the hub.
import type { Sealed } from "../e2e/seal.js";
import type { OpenedMessage } from "../e2e/messages.js";
import type { ComponentNode, Envelope, Message } from "../types.js";
import type { Draft } from "./content.js";
import type { Decision } from "./decision.js";
import type { WaitOptions } from "./options.js";

/** A question that was asked, as far as this client knows by itself. */
export interface Asked {
  sessionId: string;
  messageId: string;
  components: ComponentNode | null;
  deadlineAt: string | null;
  mark: string | null;
  /** What is asked; of an encrypted question, as it is sealed. */
  plain: Record<string, unknown>;
  /** Of an encrypted question. */
  sealed: Pick<Sealed, "header" | "digest" | "envelope" | "contentKey"> | null;
}

/** A message that is ready to be sent. */
export interface Outgoing {
  body: Record<string, unknown>;
  /** Takes note that the hub has it. */
  sent(message: Message): Asked | null;
}

export interface Mode {
  /** A question to people waits here until one of those who may answer has a key. */
  message(agent: string | null, sessionId: string, draft: Draft, wait: WaitOptions): Promise<Outgoing>;
  /** The fields of a session that hold its title. */
  title(
    agent: string | null,
    sessionId: string,
    title: string,
    recipients?: readonly string[] | null,
  ): Promise<{ title?: string; encryptedTitle?: Envelope }>;
  titleOf(
    agent: string | null,
    session: { id: string; title: string | null; encryptedTitle: Envelope | null },
  ): Promise<string | null>;
  block(agent: string | null, sessionId: string, components: ComponentNode): Promise<Envelope>;
  /** A question of this agent as the hub has it; throws `Unverified` where it is not one that this agent sealed. */
  question(agent: string | null, message: Message): Promise<Asked>;
  /** What became of a settled question; throws `Unverified` where its answer does not verify. */
  decision(agent: string | null, asked: Asked, settled: Message): Promise<Decision>;
  /** What a person said without being asked; throws `Unverified`. */
  remark(agent: string | null, message: Message): Promise<Decision>;
  /** Messages of one session, the oldest first. */
  read(agent: string | null, messages: readonly Message[]): Promise<OpenedMessage[]>;
}
