// One thing that a person has said or decided and that the hub has not confirmed yet.
import type { Pair } from "../e2e/header.js";
import { newKey } from "../http.js";
import type { Actor, Content, Message, MessageStatus, Outcome, OutgoingMessage } from "../types.js";

/** What is kept of it until the hub has confirmed it. */
export interface Written {
  id: string;
  sessionId: string;
  content: Content;
  /** The question that it answers, or the message that it refers to. */
  inReplyTo: string | null;
  /** The digest of that message's envelope as it was shown, where it was opened: no other one is answered in its place. */
  parent: string | null;
  /** It answers the question; otherwise the question stays open. */
  settles: boolean;
  /** Where it was given: in the composer, or on the card of its question. */
  from: "composer" | "card";
  /** The conversation was encrypted when it was written: it is never sent in plain text. */
  sealed: boolean;
  /** Whom the person was shown as its readers, with their keys; absent from what an earlier version of the page has kept. */
  audience?: readonly Pair[] | null;
  /** In which sign-in it was written, or agreed to. */
  signIn?: string | null;
  /** When the person agreed to have it sent after all. */
  agreedAt?: number | null;
  /** What it answers, in words, for the case that the question is not loaded. */
  about: string | null;
  /** Milliseconds since 1970; its place in the order of its session. */
  createdAt: number;
  /** It can be taken back until then (milliseconds since 1970). */
  heldUntil: number | null;
  /** Its idempotency key. A new one after each refusal. */
  key: string;
  /** As it was sent first: every repetition under the same key sends the same bytes. */
  body: OutgoingMessage | null;
  /** When it was sent first under this key. */
  attemptedAt: number | null;
  problem: Problem | null;
}

/** Why it is not sent: refused by the hub (or before it got there), or its question was settled by other means. */
export type Problem =
  | { kind: "refused"; code: string; text: string }
  | { kind: "settled"; status: MessageStatus; by: Actor | null; at: string | null; outcome: Outcome | null };

/**
 * `held`: can be taken back. `queued`: about to be sent, by this window or another one. `waiting`: not sent yet, tried
 * again by itself. `sent`: confirmed by the hub, not on the timeline yet.
 */
export type OutgoingState = "held" | "queued" | "sending" | "waiting" | "sent" | "failed" | "settled";

export interface Outgoing extends Written {
  state: OutgoingState;
  /** Of `waiting`: what the last attempt met, where it was not the network. */
  error: string | null;
  /** Of `sent`: the place on the timeline. */
  seq: number | null;
}

/** An answer that was given on the card of its question: on its way, or not sent. */
export interface AnswerState {
  action: string | null;
  state: "sending" | "failed";
  error: string | null;
  item: Outgoing;
}

const answerStates = new WeakMap<Outgoing, AnswerState>();

/** The same object for the same item, so that a view can tell whether it changed. */
export function answerStateOf(item: Outgoing): AnswerState {
  const { content, problem } = item;
  const error = problem?.kind === "refused" ? problem.text : null;
  const state = answerStates.get(item) ?? { action: content.action ?? null, state: problem ? "failed" : "sending", error, item };
  answerStates.set(item, state);
  return state;
}

/** What is handed to the outbox. */
export type Draft = Pick<Written, "sessionId" | "content" | "inReplyTo" | "parent" | "settles" | "from" | "sealed" | "about" | "audience"> & {
  /** How long it can be taken back. */
  holdMs: number;
};

export function writtenFrom({ holdMs, ...draft }: Draft, now: number, signIn: string | null = null): Written {
  const heldUntil = holdMs > 0 ? now + holdMs : null;
  return { ...draft, signIn, id: newKey(), createdAt: now, heldUntil, key: newKey(), body: null, attemptedAt: null, problem: null };
}

/** The state of something that was read from the store. */
export function outgoingFrom(written: Written, now: number): Outgoing {
  const { problem, heldUntil } = written;
  const state = problem ? (problem.kind === "settled" ? "settled" : "failed") : heldUntil !== null && heldUntil > now ? "held" : "queued";
  return { ...written, state, error: null, seq: null };
}

export function writtenOf({ state: _state, error: _error, seq: _seq, ...written }: Outgoing): Written {
  return written;
}

/** What became of a question, as the hub's message says it. */
export function settlementOf({ status, response, outcome }: Message): Extract<Problem, { kind: "settled" }> {
  const chosen = response?.outcome ?? outcome ?? null;
  return { kind: "settled", status, by: response?.respondedBy ?? null, at: response?.respondedAt ?? null, outcome: chosen };
}

/** It decides a question that was shown with a signature: of several such answers the hub could choose one. */
export function isDecision({ settles, parent }: Pick<Written, "settles" | "parent">): boolean {
  return settles && parent !== null;
}

/** The signed bytes of a decision have left, or were about to: the hub may have them, whatever it says. */
export function mayBeAtHub(written: Pick<Written, "settles" | "parent" | "attemptedAt">): boolean {
  return isDecision(written) && written.attemptedAt !== null;
}

/** The hub keeps idempotency keys for 24 hours: after that a repetition could be a second message. */
const KEY_MS = 23 * 3_600_000;

/** It may have arrived long ago, and the hub no longer recognises a repetition. An answer can't arrive twice. */
export function isTooOldToRepeat({ attemptedAt, settles }: Written, now: number): boolean {
  return attemptedAt !== null && !settles && now - attemptedAt > KEY_MS;
}

/** After this long a person may think otherwise, and others may count on it no longer. */
const STALE_MS = 4 * 3_600_000;

/** Written in a sign-in that has ended, perhaps by somebody else at this browser, or long ago: the person is asked first. */
export function isToBeAsked({ agreedAt, createdAt, signIn }: Written, current: string | null, now: number): boolean {
  return (signIn ?? null) !== current || now - (agreedAt ?? createdAt) > STALE_MS;
}

/** The code of what waits for the person's word. */
export const ASK_FIRST = "ASK_FIRST";

export function askFirst(written: Written): Extract<Problem, { kind: "refused" }> {
  // Of a decision that is said beside it.
  const before = written.attemptedAt === null || isDecision(written) ? "" : " The hub may have it already.";
  return { kind: "refused", code: ASK_FIRST, text: `This was written a while ago, or in a sign-in that has ended.${before} Do you still want to send it?` };
}
