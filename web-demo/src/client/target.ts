// What a draft is for: the question that it answers, the question that it asks back about, or nothing in particular.
import { type LiveSession, type Message, preview } from "@hiloop/sdk/chat";
import type { Draft, Target } from "./drafts";

/** A draft whose question was settled while it was written: it is not sent until the person has decided what to do. */
export interface Gone {
  target: Exclude<Target, { kind: "message" }>;
  question: Message;
}

export interface Aim {
  /** Null where the person has to choose among several questions. */
  target: Target | null;
  gone: Gone | null;
  /** The questions that this person may answer now. */
  open: Message[];
}

type Conversation = Pick<LiveSession, "timeline" | "isMine" | "mayNotAnswer" | "earlierRequests"> & {
  outbox: Pick<LiveSession["outbox"], "answerTo" | "of">;
  readonly id: string;
};

/**
 * `isMessage`: with several questions open, the person has said before that they just write. A lone open question is
 * answered unless they say otherwise.
 */
export function aimOf(live: Conversation, draft: Draft, isMessage: boolean): Aim {
  const open = openQuestions(live);
  const { target } = draft;
  if (target && target.kind !== "message") {
    const question = live.timeline.message(target.messageId);
    const isGone = question !== undefined && question.status !== "Pending";
    return { target, gone: isGone ? { target, question } : null, open };
  }
  if (target || open.length === 0) return { target: { kind: "message" }, gone: null, open };
  const [only] = open;
  if (only && open.length === 1 && live.earlierRequests === 0) return { target: targetOf(only, "answer"), gone: null, open };
  return { target: isMessage ? { kind: "message" } : null, gone: null, open };
}

export function targetOf(question: Message, kind: "answer" | "ask-back"): Exclude<Target, { kind: "message" }> {
  return { kind, messageId: question.id, title: preview(question) };
}

/** Questions that wait for this person, and that they have not answered on their card already. */
function openQuestions(live: Conversation): Message[] {
  const answered = new Set(live.outbox.of(live.id).flatMap(({ settles, inReplyTo, problem }) => (settles && !problem ? [inReplyTo] : [])));
  return live.timeline.pending().filter((one) => !live.isMine(one) && live.mayNotAnswer(one) === null && !answered.has(one.id));
}
