// Draws components into the document of the test environment, with an answer of the test's own.
import { h, render } from "preact";
import type { Content } from "@hiloop/sdk/chat";
import { ComponentTree } from "../src/components/tree";
import { type Answering, AnsweringContext } from "../src/components/types";

export interface Drawn {
  root: HTMLElement;
  answers: Content[];
  /** Draws again, with another state of the message. */
  again(state: Partial<Answering>): void;
  remove(): void;
}

let messages = 0;

export function draw(node: unknown, state: Partial<Answering> = {}): Drawn {
  const root = document.createElement("div");
  document.body.append(root);
  const answers: Content[] = [];
  let reason = "";
  const base: Answering = {
    enabled: true,
    busy: false,
    failed: false,
    settles: true,
    chosen: null,
    settled: false,
    given: null,
    draft: { key: `m-${(messages += 1)}`, keep: "browser" },
    reason: { load: () => reason, save: (text) => void (reason = text) },
    answer: (content) => void answers.push(content),
  };
  let current = { ...base, ...state };
  const show = (): void => render(h(AnsweringContext.Provider, { value: current, children: h(ComponentTree, { value: node }) }), root);
  show();
  return {
    root,
    answers,
    again(next) {
      current = { ...current, ...next };
      show();
    },
    remove() {
      render(null, root);
      root.remove();
    },
  };
}

/** Waits until a condition holds: views of their own scripts, and states that follow, come later. */
export async function waitFor<T>(what: string, probe: () => T | null | undefined | false): Promise<T> {
  for (let i = 0; i < 2_000; i += 1) {
    const value = probe();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`It did not come: ${what}`);
}
