// Says to a screen reader what is new in the open conversation: messages of others, and how requests were settled.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { authorName, claimedResponder, isSealedByScheme, type LiveSession, type Message, openedOf, preview } from "@hiloop/sdk/chat";
import { decided } from "./given-answer";

export function Announcer({ live }: { live: LiveSession }): VNode {
  const message = useNewMessage(live);
  const settled = useSettled(live);
  return (
    <div class="visually-hidden">
      <div aria-live="polite" data-testid="announcer">
        {message}
      </div>
      <div aria-live="polite" data-testid="settled-announcer">
        {settled}
      </div>
    </div>
  );
}

function useNewMessage(live: LiveSession): string {
  const [said, setSaid] = useState("");
  const from = useRef<number | null>(null);
  const last = live.timeline.lastMessage();
  // What is encrypted is said once it is opened.
  const isClosed = isSealedByScheme(last?.encryptedContent) && live.seals.sealing !== null && !openedOf(last);
  const ready = live.phase === "ready" && !isClosed && !live.seals.isUnchecked;
  useEffect(() => {
    if (!ready) return;
    const known = from.current;
    from.current = last?.seq ?? 0;
    if (known === null || !last || last.seq <= known || live.isMine(last)) return;
    setSaid(`${authorName(last)}${last.status === "Pending" ? " asks" : ""}: ${preview(last)}`);
  }, [ready, last?.seq]);
  return said;
}

/** Requests that were open in an earlier drawing and are settled now. */
function useSettled(live: LiveSession): string {
  const [said, setSaid] = useState("");
  const open = useRef<ReadonlySet<string>>(new Set());
  useEffect(() => {
    if (live.phase !== "ready") return;
    const waiting = new Set(live.timeline.pending().map(({ id }) => id));
    for (const id of open.current) {
      const message = live.timeline.message(id);
      if (!message || message.status === "Pending") continue;
      const words = settledWords(message, live);
      if (words === null) waiting.add(id);
      else setSaid(words);
    }
    open.current = waiting;
  });
  return said;
}

/** Null while an encrypted answer is not verified; one that can't be is said to be so. */
function settledWords(message: Message, live: LiveSession): string | null {
  const { status, response } = message;
  const about = preview(message);
  if (status !== "Completed") return `${status === "Expired" ? "Expired without an answer" : "Cancelled"}${live.encryption !== "plain" ? ", as the hub says" : ""}: ${about}`;
  const settledBy = live.seals.settledBy(message);
  const sealedSession = live.encryption === "sealed" || live.encryption === "locked" || live.seals.isUnchecked;
  if (sealedSession && !settledBy) return live.seals.sealing === null ? `An answer may be there: ${about}` : null;
  if (sealedSession && settledBy?.state !== "verified") return `The answer can't be proven: ${about}`;
  const by = settledBy?.author ?? (response && claimedResponder(response.respondedBy));
  return `${decided({ message, settledBy, sealedSession })} by ${live.isOwn(by?.id ?? null) ? "you" : (by?.name ?? "someone")}: ${about}`;
}
