// What makes an envelope the answer to a question.
import { isObject } from "./bytes.js";
import { Refused } from "./errors.js";
import type { Header, Pair } from "./header.js";
import type { PublicKeys } from "./keys.js";

export interface QuestionFacts {
  digest: string;
  header: Header;
  /** The actions that its components offer. */
  actions: ReadonlySet<string>;
}

/** The actions that the components of a sealed question offer. */
export function offeredActions(components: unknown): ReadonlySet<string> {
  const actions = new Set<string>();
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (!isObject(node)) return;
    const data = isObject(node.data) ? node.data : {};
    if (node.type === "approval") ["approve", "reject"].forEach((action) => actions.add(action));
    if (node.type === "form") actions.add("submit");
    if (node.type === "button_group" && Array.isArray(data.buttons)) {
      for (const button of data.buttons) if (isObject(button) && typeof button.action === "string") actions.add(button.action);
    }
    visit(node.children);
  };
  visit(components);
  return actions;
}

/** Throws `Refused` unless an accepted envelope answers this question, at `nowMs` by the receiver's own clock. */
export function checkAnswer(answer: { header: Header; plain: Record<string, unknown> }, question: QuestionFacts, nowMs: number): void {
  const { header, plain } = answer;
  if (header.kind !== "answer") throw new Refused("not_an_answer");
  if (header.parent !== question.digest) throw new Refused("other_question");
  if (!question.header.answerers?.includes(header.from.id)) throw new Refused("not_an_answerer");
  const action = isObject(plain.content) ? plain.content.action : undefined;
  if (action !== undefined && action !== null && !(typeof action === "string" && question.actions.has(action)))
    throw new Refused("action");
  const { deadlineAt } = question.header;
  if (deadlineAt !== null && nowMs >= Date.parse(deadlineAt)) throw new Refused("deadline");
}

/** An earlier key of a person counts where the question was sealed to it; a thief of an older one answers nothing. */
export function checkAnswerKey(from: Pair, to: readonly Pair[], current: PublicKeys): void {
  const isAsked = to.some(({ id, keyId }) => id === from.id && keyId === from.keyId);
  if (from.keyId !== current.keyId && !isAsked) throw new Refused("not_pinned");
}
