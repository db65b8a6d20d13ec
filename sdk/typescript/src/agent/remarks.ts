// What people write in a session while a question waits for its answer.
import type { OpenedMessage } from "../e2e/messages.js";
import type { Message } from "../types.js";
import type { ClientEvent } from "./timeline.js";

export interface Remark {
  text: string | null;
  /** The name of who wrote it. */
  from: string | null;
  message: Message;
  /** Verified, unless the encryption is off. */
  opened: OpenedMessage;
}

export type OnRemark = (remark: Remark) => unknown;

export interface RemarkSource {
  events: AsyncIterable<ClientEvent>;
  /** The message that answers the question. */
  answerOf: () => Promise<string | null>;
  /** Whether a person wrote a message, as far as that can be proved, and it was not passed on before. */
  isRemark: (message: Message) => Promise<boolean>;
}

/** Calls `onRemark` with each message of a person that does not answer the question. Ends with its events. */
export async function followRemarks({ events, answerOf, isRemark }: RemarkSource, onRemark: OnRemark): Promise<void> {
  for await (const { type, data, opened } of events) {
    const message = type === "message.created" ? (data?.message as Message) : null;
    if (!message || !opened || message.senderType !== "Human") continue;
    // An answer settles the question in the same transaction: it is known by now.
    if (message.inReplyTo !== null && (await answerOf()) === message.id) continue;
    if (!(await isRemark(message))) continue;
    await onRemark({ text: opened.content?.text ?? null, from: message.senderName, message, opened });
  }
}
