// An answer in words that is held for a moment: it can be taken back into the composer.
import type { VNode } from "preact";
import type { LiveSession, Outgoing } from "@hiloop/sdk/chat";
import type { Draft } from "../client/drafts";
import { useNow } from "./hooks";
import { useUnsent } from "./unsent-context";

export function AnswerHeld({ live, item }: { live: LiveSession; item: Outgoing }): VNode {
  const { outbox, drafts } = useUnsent();
  const now = useNow(200, true);
  const left = Math.max(0, Math.ceil(((item.heldUntil ?? 0) - now) / 1_000));
  const takeBack = async (): Promise<void> => {
    if (!(await outbox.takeBack(item.id))) return;
    drafts.set(live.id, draftOf(item, drafts.get(live.id)));
    document.querySelector<HTMLTextAreaElement>("[data-testid=composer]")?.focus();
  };
  if (left === 0) return <p class="message-state">Sending…</p>;
  return (
    <p class="message-state given" data-testid="given" data-state="held">
      <span role="status">Your answer is sent in {left} s.</span>
      <button type="button" class="button secondary small" data-testid="undo" onClick={() => void takeBack()}>
        Undo
      </button>
    </p>
  );
}

/** What was taken back, before anything that was typed since. */
export function draftOf({ content, inReplyTo, about, parent }: Outgoing, { text, target }: Draft): Draft {
  const words = [content.text ?? "", text].filter((one) => one.trim() !== "").join("\n");
  return { text: words, target: inReplyTo === null ? target : { kind: "answer", messageId: inReplyTo, title: about ?? "", digest: parent } };
}
