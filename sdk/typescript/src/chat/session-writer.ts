// What a person says and answers in one conversation: handed to the outbox as they saw the conversation then, and what
// of it is not on the timeline yet.
import type { Pair } from "../e2e/header.js";
import type { Content, Message } from "../types.js";
import { answerFromCard } from "./card-answer.js";
import { openedOf } from "./opened.js";
import type { Outbox } from "./outbox.js";
import { type AnswerState, answerStateOf, type Outgoing, type Written } from "./outgoing.js";
import type { SessionSeals } from "./session-seals.js";
import type { Timeline } from "./timeline.js";

/** The message that words are for, as the person saw it. */
export interface Shown {
  id: string;
  about: string;
  /** Of its envelope; null where it is not encrypted. */
  digest?: string | null;
}

export interface SayOptions {
  inReplyTo?: Shown | null;
  /** False for a remark on a question, which stays open. */
  settles?: boolean;
  /** How long an answer can be taken back; nothing else is held. */
  holdMs?: number;
}

export class SessionWriter {
  constructor(
    private readonly id: string,
    private readonly outbox: Outbox,
    private readonly seals: SessionSeals,
    private readonly timeline: () => Timeline,
  ) {}

  say(text: string, { inReplyTo = null, settles = true, holdMs = 0 }: SayOptions): Outgoing {
    const answers = inReplyTo !== null && settles;
    // Not of what the hub shows under this id by now.
    const { id = null, about = null, digest: parent = null } = inReplyTo ?? {};
    return this.outbox.add({
      sessionId: this.id,
      content: answers ? { text, outcome: "Answered" } : { text },
      inReplyTo: id,
      parent,
      about,
      sealed: this.isSealed,
      audience: this.shownReaders,
      settles: answers,
      from: "composer",
      holdMs: answers ? holdMs : 0,
    });
  }

  /** Answers on the card of a question. */
  answer(message: Message, content: Content, holdMs: number): Outgoing | null {
    return answerFromCard(this.outbox, { sessionId: this.id, message, content, sealed: this.isSealed, audience: this.shownReaders, holdMs });
  }

  /** An answer that was given on the card of a message. */
  answerState(messageId: string): AnswerState | null {
    const item = this.outbox.answerTo(messageId);
    return item && answerStateOf(item);
  }

  /** The answer that this person signed to a question: the hub has it, or may have it, whatever it shows. */
  signedFor(message: Message): Written | null {
    return this.outbox.signedFor(openedOf(message)?.digest ?? null);
  }

  /** What is not on the timeline yet; answers that were given on a card are shown there, where it is loaded. */
  outgoing(): readonly Outgoing[] {
    const timeline = this.timeline();
    return this.outbox.of(this.id).filter(({ from, inReplyTo, settles, seq }) => {
      if (seq !== null && seq <= timeline.last) return false;
      return from === "composer" || !settles || inReplyTo === null || !timeline.message(inReplyTo);
    });
  }

  /** What is written now is never sent in plain text. */
  private get isSealed(): boolean {
    return this.seals.encryption !== "plain" || this.seals.needsConsent;
  }

  /** Whom the person is shown as the readers of what they write. */
  private get shownReaders(): readonly Pair[] | null {
    return this.isSealed ? (this.seals.audience?.to ?? null) : null;
  }
}
