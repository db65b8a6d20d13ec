// An answer that was given on its card and is on its way: it can be taken back first, or waits for the connection.
import type { VNode } from "preact";
import { componentsOf, mayBeAtHub, type Message, type Outgoing } from "@hiloop/sdk/chat";
import { actionLabel } from "../components/tree";
import { AnswerHandedOver } from "./answer-signed";
import { useNow } from "./hooks";
import { restoreReason } from "./reason-field";
import { useUnsent } from "./unsent-context";

export function AnswerGiven({ item, message }: { item: Outgoing; message: Message }): VNode {
  const { outbox, drafts } = useUnsent();
  const { state, heldUntil, content } = item;
  const now = useNow(200, state === "held");
  const label = content.action === undefined ? (content.outcome === "Rejected" ? "Decline" : "Your answer") : (actionLabel(componentsOf(message), content.action) ?? content.action);
  const takeBack = async (): Promise<void> => {
    if (await outbox.takeBack(item.id)) restoreReason(drafts, message, content);
  };
  const left = heldUntil === null ? 0 : Math.max(0, Math.ceil((heldUntil - now) / 1_000));
  if (state === "held" && left > 0) {
    return (
      <p class="message-state given" data-testid="given" data-state="held">
        <span role="status">
          <span dir="auto">“{label}”</span> is sent in {left} s.
        </span>
        <button type="button" class="button secondary small" data-testid="undo" onClick={() => void takeBack()}>
          Undo
        </button>
      </p>
    );
  }
  if (state === "waiting" && mayBeAtHub(item)) return <AnswerHandedOver item={item} message={message} />;
  if (state === "waiting") {
    return (
      <p class="message-state given" data-testid="given" data-state="waiting">
        <span role="status">
          <span dir="auto">“{label}”</span> waits for the connection{item.error ? `: ${item.error}` : "."} {outbox.isKept ? "" : "Keep this page open."}
        </span>
        <button type="button" class="link" data-testid="retry" onClick={() => outbox.retry(item.id)}>
          Try now
        </button>
        <button type="button" class="link" data-testid="discard" onClick={() => outbox.discard(item.id)}>
          Don't send it
        </button>
      </p>
    );
  }
  return (
    <p class="message-state given" data-testid="given" data-state={state}>
      Sending your answer…
    </p>
  );
}
