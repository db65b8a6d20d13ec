// A reason beside the buttons of a request: optional, kept while it is written, sent with the button that is pressed.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { componentsOf, type Content, type Message } from "@hiloop/sdk/chat";
import { type Drafts, reasonName } from "../client/drafts";
import { useStore } from "./hooks";
import { useUnsent } from "./unsent-context";

/**
 * Adds the reason that was written to an answer that has no words of its own, and empties the field. The values of a form
 * go without the reason that was begun for its refusal.
 */
export function withReason(drafts: Drafts, message: Message, content: Content): Content {
  const name = reasonName(message);
  const text = drafts.get(name).text.trim();
  if (text === "" || content.text !== undefined) return content;
  if (content.values !== undefined && !hasButtons(componentsOf(message))) return content;
  drafts.set(name, { text: "", target: null });
  return { ...content, text };
}

/** Where a view of the message keeps the reason that it asks for. */
export function useKeptReason(message: Message): { load(): string; save(text: string): void } {
  const { drafts } = useUnsent();
  return {
    load: () => drafts.get(reasonName(message)).text,
    save: (text) => drafts.set(reasonName(message), { text, target: null }),
  };
}

/** What was sent with an answer that the person takes back is there again. */
export function restoreReason(drafts: Drafts, message: Message, { text = "" }: Content): void {
  const name = reasonName(message);
  if (text !== "" && drafts.get(name).text.trim() === "") drafts.set(name, { text, target: null });
}

export function ReasonField({ message }: { message: Message }): VNode | null {
  const { drafts } = useUnsent();
  useStore(drafts);
  const name = reasonName(message);
  const { text } = drafts.get(name);
  const [open, setOpen] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (open) field.current?.focus();
  }, [open]);
  if (!hasButtons(componentsOf(message))) return null;
  if (!open && text === "") {
    return (
      <button type="button" class="link reason-open" data-testid="add-reason" onClick={() => setOpen(true)}>
        Add a reason
      </button>
    );
  }
  return (
    <label class="reason">
      <span>Your reason, sent with the button that you press</span>
      <textarea
        ref={field}
        rows={2}
        value={text}
        data-testid="reason"
        dir="auto"
        maxLength={4_000}
        onInput={(event) => drafts.set(name, { text: event.currentTarget.value, target: null })}
        onKeyDown={(event) => {
          if (event.key === "Escape" && text === "") setOpen(false);
        }}
      />
    </label>
  );
}

const MAX_DEPTH = 12;

/** Whether something in a tree of components is answered by a press. */
export function hasButtons(value: unknown, depth = 0): boolean {
  if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((one) => hasButtons(one, depth + 1));
  const { type, children } = value as { type?: unknown; children?: unknown };
  return type === "approval" || type === "button_group" || hasButtons(children, depth + 1);
}
