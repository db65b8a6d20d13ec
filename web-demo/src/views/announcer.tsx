// Says to a screen reader what is new in the open conversation: messages of others, and how requests were settled.
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { contentOf, isSealedByScheme, type LiveSession, type Message, openedOf, outcomeOf, preview, settledByOf } from "@hiloop/sdk/chat";

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
  const ready = live.phase === "ready" && !isClosed;
  useEffect(() => {
    if (!ready) return;
    const known = from.current;
    from.current = last?.seq ?? 0;
    if (known === null || !last || last.seq <= known || live.isMine(last)) return;
    setSaid(`${last.senderName ?? "Someone"}${last.status === "Pending" ? " asks" : ""}: ${preview(last)}`);
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

/** Null while an encrypted answer is not opened. */
function settledWords(message: Message, live: LiveSession): string | null {
  const { status, response, encryptedContent } = message;
  const about = preview(message);
  if (status !== "Completed") return `${status === "Expired" ? "Expired without an answer" : "Cancelled"}: ${about}`;
  const settledBy = settledByOf(response);
  if (isSealedByScheme(encryptedContent) && live.seals.sealing !== null && !settledBy) return null;
  if (settledBy?.state === "unverified") return `The answer can't be proven: ${about}`;
  const content = settledBy ? settledBy.content : contentOf(response);
  const said = content?.action === undefined ? (response?.outcome ?? message.outcome ?? "Answered") : outcomeOf(content.action);
  const outcome = content?.outcome ?? said;
  const { id, name } = response?.respondedBy ?? { id: null, name: null };
  return `${outcome} by ${live.isOwn(id) ? "you" : (name ?? "someone")}: ${about}`;
}
