// A line above the timeline while the open requests of the conversation are out of sight: who asks what, and the way there.
import type { VNode } from "preact";
import { authorName, type LiveSession, type Message, preview } from "@hiloop/sdk/chat";
import { countdown } from "./format";
import { useNow } from "./hooks";
import { DownIcon, UpIcon } from "./icons";
import { showMessage } from "./jump";

/** The requests that this person can answer, the oldest first. */
export function openRequests(live: LiveSession): Message[] {
  if (live.session && live.session.status !== "Active") return [];
  return live.timeline
    .pending()
    .filter((message) => !live.isMine(message) && live.mayNotAnswer(message) === null)
    .sort((a, b) => a.seq - b.seq);
}

interface Props {
  live: LiveSession;
  /** The one to go to, and where it is; null while one is in sight. */
  next: { message: Message; isAbove: boolean } | null;
  count: number;
}

export function RequestCard({ live, next, count }: Props): VNode | null {
  const now = useNow(1_000, next?.message.deadlineAt != null);
  const further = live.earlierRequests;
  if (!next && (further === 0 || count > 0)) return null;
  if (!next) {
    return (
      <div class="request-card" data-testid="request-card">
        <span class="request-words">{further === 1 ? "1 earlier request waits" : `${further} earlier requests wait`} further up.</span>
        <button type="button" class="button secondary small" data-testid="show-request" disabled={live.loadingOlder} onClick={() => void findEarlier(live)}>
          <UpIcon /> {live.loadingOlder ? "Searching…" : "Show"}
        </button>
      </div>
    );
  }
  const { message, isAbove } = next;
  const total = count + further;
  return (
    <div class="request-card" data-testid="request-card">
      <span class="request-words" dir="auto">
        <b>{authorName(message)} asks:</b> {preview(message)}
      </span>
      {message.deadlineAt && <span class="tag">{countdown(message.deadlineAt, now)} left</span>}
      {total > 1 && <span class="tag pending">{total} requests</span>}
      <button type="button" class="button secondary small" data-testid="show-request" onClick={() => showMessage(live, message.id, { focus: true })}>
        {isAbove ? <UpIcon /> : <DownIcon />} Show
      </button>
    </div>
  );
}

async function findEarlier(live: LiveSession): Promise<void> {
  await live.loadOpenRequests();
  const [first] = openRequests(live);
  if (first) showMessage(live, first.id, { focus: true });
}
