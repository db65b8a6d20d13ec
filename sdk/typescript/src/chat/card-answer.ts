// An answer that is given by a press, on the card of its question or in its row of the list: one at a time, and to the
// question as it was shown.
import { outcomeOf } from "../envelope.js";
import type { Pair } from "../e2e/header.js";
import type { Content, Message } from "../types.js";
import { openedOf } from "./opened.js";
import type { Outbox } from "./outbox.js";
import type { Outgoing } from "./outgoing.js";
import { preview } from "./titles.js";

export interface CardAnswer {
  sessionId: string;
  message: Message;
  content: Content;
  /** The conversation is encrypted: the answer is never sent in plain text. */
  sealed: boolean;
  /** Whom the person was shown as its readers; absent in the list, where those count to whom the question was sealed. */
  audience?: readonly Pair[] | null;
  /** How long the answer can be taken back. */
  holdMs: number;
}

/** Hands an answer to the outbox; null while another one to the same question is on its way, or was signed before. */
export function answerFromCard(outbox: Outbox, { sessionId, message, content, sealed, audience = null, holdMs }: CardAnswer): Outgoing | null {
  const settles = message.responseRequired;
  const parent = openedOf(message)?.digest ?? null;
  if (settles && outbox.signedFor(parent)) return null;
  const given = outbox.answerTo(message.id);
  if (given && given.problem === null && given.state !== "sent") return null;
  if (given) outbox.discard(given.id);
  return outbox.add({
    sessionId,
    content: settles ? { ...content, outcome: content.outcome ?? outcomeOf(content.action) } : content,
    inReplyTo: message.id,
    parent,
    about: preview(message),
    settles,
    from: "card",
    sealed,
    audience,
    holdMs,
  });
}
