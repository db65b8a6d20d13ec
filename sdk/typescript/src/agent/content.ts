// What an agent sends: text and components, and the fields beside them that the hub acts on.
import { isComponent } from "../e2e/messages.js";
import { HiloopError } from "../errors.js";
import type { ComponentNode, Priority } from "../types.js";
import { MARK } from "./question-key.js";

export interface MessageInput {
  /** Markdown. */
  text?: string | undefined;
  components?: ComponentNode | readonly ComponentNode[] | undefined;
  /** Whether it is a question. Unless given: whether there are components that people answer (buttons, a form). */
  responseRequired?: boolean | undefined;
  priority?: Priority | undefined;
  /** When a question expires. */
  deadlineAt?: string | Date | undefined;
  /** The ids or e-mail addresses of those who may answer; every human who takes part unless given. */
  answerers?: readonly string[] | undefined;
  /** The message that this one refers to. */
  inReplyTo?: string | undefined;
}

/** A message, checked: what is sealed, and what the hub sees. */
export interface Draft {
  plain: { content?: Record<string, unknown>; components?: ComponentNode };
  components: ComponentNode | null;
  responseRequired: boolean;
  priority: Priority | undefined;
  deadlineAt: string | null;
  answerers: readonly string[] | null;
  /** The ids of those whom an encrypted message is sealed to; everyone who takes part unless given. */
  recipients: readonly string[] | null;
  inReplyTo: string | undefined;
  mark: string | null;
}

export function draftOf(message: string | MessageInput, mark: string | null = null): Draft {
  const input: MessageInput = typeof message === "string" ? { text: message } : message;
  const { text, responseRequired, priority, deadlineAt, answerers, inReplyTo } = input;
  const components = input.components === undefined ? null : treeOf(input.components);
  if (text === undefined && components === null)
    throw new HiloopError(0, "VALIDATION_ERROR", "A message needs 'text' or 'components'");
  const content = { ...(text === undefined ? {} : { text }), ...(mark === null ? {} : { [MARK]: mark }) };
  return {
    plain: { ...(Object.keys(content).length > 0 ? { content } : {}), ...(components ? { components } : {}) },
    components,
    responseRequired: responseRequired ?? (components !== null && isAnswerable(components)),
    priority,
    deadlineAt: deadlineAt === undefined ? null : timeOf(deadlineAt),
    answerers: answerers ?? null,
    recipients: null,
    inReplyTo,
    mark,
  };
}

/** The fields of the body that the hub reads. */
export function openFields({ responseRequired, priority, deadlineAt, answerers, inReplyTo }: Draft): Record<string, unknown> {
  return {
    responseRequired,
    ...(priority === undefined ? {} : { priority }),
    ...(deadlineAt === null ? {} : { deadlineAt }),
    ...(answerers === null ? {} : { answerers }),
    ...(inReplyTo === undefined ? {} : { inReplyTo }),
  };
}

function timeOf(time: string | Date): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime()))
    throw new HiloopError(0, "VALIDATION_ERROR", `'deadlineAt' must be a time (got '${String(time)}')`);
  return date.toISOString();
}

/** One node: several become the children of a group. */
export function treeOf(components: ComponentNode | readonly ComponentNode[]): ComponentNode | null {
  if (isComponent(components)) return components;
  const nodes = components as readonly ComponentNode[];
  if (nodes.length <= 1) return nodes[0] ?? null;
  return { type: "group", data: {}, children: [...nodes] };
}

const ANSWERABLE: ReadonlySet<string> = new Set(["approval", "button_group", "form"]);

export function isAnswerable({ type, children = [] }: ComponentNode): boolean {
  return ANSWERABLE.has(type) || children.some(isAnswerable);
}
