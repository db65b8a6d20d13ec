// What makes an envelope the answer to a question.
import { isObject } from "./bytes.js";
import { Refused } from "./errors.js";
import type { Header } from "./header.js";

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

/** Whether the components are a request to approve something. */
export function isApproval(components: unknown): boolean {
  if (Array.isArray(components)) return components.some(isApproval);
  return isObject(components) && (components.type === "approval" || isApproval(components.children));
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
