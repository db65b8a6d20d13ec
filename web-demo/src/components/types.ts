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
