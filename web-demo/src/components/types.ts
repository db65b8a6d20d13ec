// The input of a component of a message, and its actions.
import { createContext, type VNode } from "preact";
import type { ComponentNode, Content } from "@hiloop/sdk/chat";
import type { DraftPlace } from "./form/drafts";

/** How the components of one message answer it, and how it was answered. */
export interface Answering {
  /** False once the message is settled, or the conversation closed. */
  enabled: boolean;
  /** An answer is on its way. */
  busy: boolean;
  /** The last answer from here was refused. */
  failed: boolean;
  /** One answer settles the message; without that, it may be answered any number of times. */
  settles: boolean;
  /** The action of the answer, if there is one and it can be read. */
  chosen: string | null;
  /** Nobody can answer it any more: it was answered, withdrawn, or its time ran out. */
  settled: boolean;
  /** The answer that settled it; null where there is none that can be read, undefined while it is being opened. */
  given: Content | null | undefined;
  /** Where the entries of a form are kept until they are sent. */
  draft: DraftPlace;
  /** A reason that is being written for this message; it is kept until it is sent. */
  reason: { load(): string; save(text: string): void };
  answer(content: Content): void;
}

export const AnsweringContext = createContext<Answering>({
  enabled: false,
  busy: false,
  failed: false,
  settles: true,
  chosen: null,
  settled: false,
  given: null,
  draft: { key: "", keep: "tab" },
  reason: { load: () => "", save: () => undefined },
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

/** The objects of a list; everything else is left out. */
export function list(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is Record<string, unknown> => typeof item === "object" && item !== null && !Array.isArray(item));
}

/** A finite number, also one that was sent as text; null for anything else. */
export function number(value: unknown): number | null {
  if (typeof value !== "number" && (typeof value !== "string" || value.trim() === "")) return null;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : null;
}
