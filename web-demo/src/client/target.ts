// What a draft is for: the question that it answers, the question that it asks back about, or nothing in particular.
import { type LiveSession, type Message, openedOf, preview } from "@hiloop/sdk/chat";
import type { Draft, QuestionTarget, Target } from "./drafts";

/**
 * A draft that is not sent until the person has decided what to do. `settled`: so was its question while it was written.
 * `unconfirmed`: nothing proves that the question is the one that was shown. `signed`: the person has signed an answer.
 */
export type Gone =
  | { why: "settled"; target: QuestionTarget; question: Message }
  | { why: "unconfirmed" | "signed"; target: QuestionTarget; question: Message | null };

export interface Aim {
  /** Null where the person has to choose among several questions. */
  target: Target | null;
  gone: Gone | null;
  /** The questions that this person may answer now. */
  open: Message[];
}

type Conversation = Pick<LiveSession, "timeline" | "isMine" | "mayNotAnswer" | "earlierRequests" | "encryption"> & {
  outbox: Pick<LiveSession["outbox"], "answerTo" | "of" | "signedFor">;
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
    return { target, gone: goneOf(live, target), open };
  }
  if (target || open.length === 0) return { target: { kind: "message" }, gone: null, open };
  const [only] = open;
  if (only && open.length === 1 && live.earlierRequests === 0) return { target: targetOf(only, "answer"), gone: null, open };
  return { target: isMessage ? { kind: "message" } : null, gone: null, open };
}

function goneOf(live: Conversation, target: QuestionTarget): Gone | null {
  const question = live.timeline.message(target.messageId);
  if (live.encryption !== "plain" && live.encryption !== "checking") {
    const now = openedOf(question)?.digest;
    if (target.digest === null || (now && now !== target.digest)) return { why: "unconfirmed", target, question: question ?? null };
    if (target.kind === "answer" && live.outbox.signedFor(target.digest)) return { why: "signed", target, question: question ?? null };
  }
  return question && question.status !== "Pending" ? { why: "settled", target, question } : null;
}

export function targetOf(question: Message, kind: "answer" | "ask-back"): QuestionTarget {
  return { kind, messageId: question.id, title: preview(question), digest: openedOf(question)?.digest ?? null };
}

/** Questions that wait for this person, and that they have not answered on their card already. */
function openQuestions(live: Conversation): Message[] {
  const answered = new Set(live.outbox.of(live.id).flatMap(({ settles, inReplyTo, problem }) => (settles && !problem ? [inReplyTo] : [])));
  return live.timeline.pending().filter((one) => !live.isMine(one) && live.mayNotAnswer(one) === null && !answered.has(one.id));
}
