// What signing out or leaving would lose: messages and answers that are not sent, and drafts.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import { useStore } from "./hooks";

/** Nothing where everything is sent. `by`: what would lose it. */
export function UnsentLoss({ hub, by }: { hub: Hub; by: string }): VNode | null {
  const { unsent } = useStore(hub.unsent.outbox);
  if (unsent.length === 0) return null;
  return (
    <p data-testid="unsent-loss" data-count={unsent.length}>
      {unsent.length === 1 ? "One message or answer of yours has" : `${unsent.length} messages and answers of yours have`} not been sent. {by}{" "}
      discards what is not sent, and your drafts.
    </p>
  );
}
