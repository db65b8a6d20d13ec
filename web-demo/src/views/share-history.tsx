// Shares the keys of the loaded encrypted messages with someone who joined later.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { type LiveSession, messageOf, type Participant } from "@hiloop/sdk/chat";

export function ShareHistory({ live, participant }: { live: LiveSession; participant: Participant }): VNode {
  const [state, setState] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const share = async (): Promise<void> => {
    if (busy || state !== null) return;
    setBusy(true);
    try {
      const count = await live.shareHistory(participant);
      setState(count === 1 ? "1 message shared" : `${count} messages shared`);
    } catch (failure) {
      setState(messageOf(failure));
    }
    setBusy(false);
  };
  // The button stays: without it the focus would leave the list, which closes then.
  return (
    <button
      type="button"
      class="link"
      data-testid="share-history"
      aria-disabled={busy || state !== null}
      title={`Lets ${participant.name ?? "them"} read what was written before they joined`}
      onClick={() => void share()}
    >
      <span role="status">{state ?? (busy ? "Sharing…" : "Share the history")}</span>
    </button>
  );
}
