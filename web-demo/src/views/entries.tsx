// The lines of the timeline: days, messages (those of one sender close together), small lines for other events, and
// where the person left or something is not loaded.
import type { ComponentChild, VNode } from "preact";
import { authorOf, isUnproven, type LiveSession, type Message, openedOf, readersOf } from "@hiloop/sdk/chat";
import { holdMs } from "../client/undo";
import { dayOf } from "./format";
import { MessageRow } from "./message";
import { saveReceipt } from "./receipt";
import { SystemLine } from "./system-line";

const TOGETHER_MS = 3 * 60_000;

interface Props {
  live: LiveSession;
  /** The last event that the person has read before coming back; null for no line. */
  since: number | null;
  onAnswer: (message: Message) => void;
}

export function Entries({ live, since, onAnswer }: Props): VNode {
  const rows: ComponentChild[] = [];
  const entries = live.timeline.entries();
  const lastMine = entries.findLast((entry) => entry.kind === "message" && live.isMine(entry.message));
  const closed = live.session !== null && live.session.status !== "Active";
  let day = "";
  let previous: Message | null = null;
  let isPastLine = since === null;
  for (const entry of entries) {
    if (entry.kind === "gap") {
      previous = null;
      day = "";
      rows.push(<Gap key={`gap-${entry.seq}`} live={live} count={entry.count} />);
      continue;
    }
    const at = entry.kind === "message" ? entry.message.createdAt : entry.event.at;
    const today = dayOf(at);
    if (today !== day) {
      day = today;
      previous = null;
      rows.push(
        <div class="day" key={`day-${entry.seq}`}>
          <h2>{today}</h2>
        </div>,
      );
    }
    if (since !== null && !isPastLine && entry.seq > since && entry.kind === "message" && !live.isMine(entry.message)) {
      isPastLine = true;
      previous = null;
      // Without anything above it, it would say nothing.
      if (rows.length > 1) rows.push(<SinceLeft key="since-left" />);
    }
    if (entry.kind === "system") {
      previous = null;
      rows.push(<SystemLine key={entry.seq} event={entry.event} live={live} />);
      continue;
    }
    const { message } = entry;
    const mine = live.isMine(message);
    rows.push(
      <MessageRow
        key={entry.seq}
        seq={entry.seq}
        message={message}
        mine={mine}
        joined={previous !== null && sameSender(previous, message)}
        replied={live.repliedTo(message)}
        answer={live.answerState(message.id)}
        acknowledged={live.timeline.wasAcknowledged(message.id)}
        closed={closed}
        barred={message.responseRequired && message.status === "Pending" ? live.mayNotAnswer(message) : null}
        signed={live.signedFor(message)}
        inviter={live.inviterOf(message.senderGuestId)}
        opened={openedOf(message)}
        settledBy={live.seals.settledBy(message)}
        sealedSession={live.encryption === "sealed" || live.encryption === "locked" || live.seals.isUnchecked}
        unchecked={live.seals.isUnchecked}
        hasKeys={live.seals.sealing !== null}
        missing={live.missing(message)}
        onFind={() => void live.findSeen(message)}
        sealedFor={readers(live, message)}
        onReceipt={() => void saveReceipt(live, message)}
        readers={entry === lastMine ? names(live, entry.seq) : null}
        onAnswer={onAnswer}
        onAction={(content) => void live.answer(message, content, holdMs(message.deadlineAt))}
      />,
    );
    previous = message;
  }
  return <>{rows}</>;
}

function SinceLeft(): VNode {
  return (
    <div class="since-left" data-testid="since-left" role="separator" aria-label="New since you left">
      <span>New since you left</span>
    </div>
  );
}

function Gap({ live, count }: { live: LiveSession; count: number }): VNode {
  return (
    <div class="gap" data-testid="gap">
      <span>{count === 1 ? "1 entry" : `${count.toLocaleString()} entries`} in between</span>
      <button type="button" class="link" disabled={live.loadingOlder} onClick={() => void live.loadGap()}>
        Load the next ones
      </button>
    </div>
  );
}

/** Null where everyone could read it. */
function readers(live: LiveSession, message: Message): string | null {
  const reach = readersOf(message, live.participants);
  return reach && `${reach.reached} of ${reach.total}`;
}

function names(live: LiveSession, seq: number): string {
  return live
    .readersOf(seq)
    .map((one) => one.name ?? "someone")
    .join(", ");
}

function sameSender(a: Message, b: Message): boolean {
  return (
    isUnproven(a) === isUnproven(b) &&
    authorOf(a).type === authorOf(b).type &&
    authorOf(a).id === authorOf(b).id &&
    Date.parse(b.createdAt) - Date.parse(a.createdAt) < TOGETHER_MS
  );
}
