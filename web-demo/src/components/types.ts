// The input of a component of a message, and its actions.
import { createContext, type VNode } from "preact";
import type { ComponentNode, Content } from "@hiloop/sdk/chat";

/** How the components of one message answer it. */
export interface Answering {
  /** False once the message is settled, or the conversation closed. */
  enabled: boolean;
  /** An answer is on its way. */
  busy: boolean;
  /** The action of the answer, if there is one and it can be read. */
  chosen: string | null;
  answer(content: Content): void;
}

export const AnsweringContext = createContext<Answering>({
  enabled: false,
  busy: false,
  chosen: null,
  answer: () => undefined,
});

export interface ComponentProps {
  node: ComponentNode;
  /** The data: always an object, for any value that was sent. */
  data: Record<string, unknown>;
}

export type ComponentView = (props: ComponentProps) => VNode | null;

export function text(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

export function list(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Record<string, unknown> => typeof item === "object" && item !== null);
}
