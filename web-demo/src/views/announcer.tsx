// Says new messages to a screen reader, those of others and only once they are new.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { authorOf, isSealedByScheme, isUnproven, type LiveSession, openedOf, preview } from "@hiloop/sdk/chat";

export function Announcer({ live }: { live: LiveSession }): VNode {
  const [said, setSaid] = useState("");
  const from = useRef<number | null>(null);
  const last = live.timeline.lastMessage();
  // What is encrypted is said once it is opened.
  const isClosed = isSealedByScheme(last?.encryptedContent) && live.seals.sealing !== null && !openedOf(last);
  const ready = live.phase === "ready" && !isClosed;

  useEffect(() => {
    if (!ready) return;
    const known = from.current;
    from.current = last?.seq ?? 0;
    if (known === null || !last || last.seq <= known || live.isMine(last)) return;
    const name = isUnproven(last) ? null : authorOf(last).name;
    setSaid(`${name ?? "Someone"}: ${preview(last)}`);
  }, [ready, last?.seq]);

  return (
    <div class="visually-hidden" aria-live="polite" data-testid="announcer">
      {said}
    </div>
  );
}
