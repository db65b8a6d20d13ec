// The rows of the timeline that are drawn: days, messages (those of one sender close together), small lines for other
// events, and where the person left or something is not loaded. Space stands for the rows in between.
import type { ComponentChild, VNode } from "preact";
import { authorOf, isUnproven, type LiveSession, type Message, openedOf, readersOf } from "@hiloop/sdk/chat";
import { holdMs } from "../client/undo";
import { dayOf } from "./format";
import { MessageRow } from "./message";
import { saveReceipt } from "./receipt";
import type { Range } from "./row-window";
import { SystemLine } from "./system-line";
import type { Row } from "./timeline-rows";

const TOGETHER_MS = 3 * 60_000;

interface Props {
  live: LiveSession;
  rows: readonly Row[];
  /** The rows to draw, in order. */
  ranges: readonly Range[];
  /** The height of rows that are not drawn. */
  spaceOf: (range: Range) => number;
  onAnswer: (message: Message) => void;
}

export function Entries({ live, rows, ranges, spaceOf, onAnswer }: Props): VNode {
  const drawn: ComponentChild[] = [];
  const lastMine = lastMineOf(live);
  const closed = live.session !== null && live.session.status !== "Active";
  const space = (key: string, range: Range): void => {
    drawn.push(<div key={`space-${key}`} data-space aria-hidden="true" style={{ height: `${spaceOf(range)}px` }} />);
  };
  const message = (row: Row & { kind: "message" }, before: Row | undefined): VNode => {
    const { message, seq } = row;
    return (
      <MessageRow
        key={row.key}
        seq={seq}
        message={message}
        mine={live.isMine(message)}
        joined={before?.kind === "message" && sameSender(before.message, message)}
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
        readers={seq === lastMine ? names(live, seq) : null}
        onAnswer={onAnswer}
        onAction={(content) => void live.answer(message, content, holdMs(message.deadlineAt))}
      />
    );
  };
  let end = 0;
  for (const { from, to } of ranges) {
    // The first one tells where the rows begin, also without a height.
    if (end === 0 || from > end) space(end === 0 ? "start" : String(rows[from]?.key), { from: end, to: from });
    for (let i = from; i < to; i += 1) {
      const row = rows[i] as Row;
      if (row.kind === "message") drawn.push(message(row, rows[i - 1]));
      else if (row.kind === "system") drawn.push(<SystemLine key={row.key} event={row.event} live={live} />);
      else if (row.kind === "day") drawn.push(<Day key={row.key} row={row} />);
      else if (row.kind === "since") drawn.push(<SinceLeft key={row.key} row={row} />);
      else drawn.push(<Gap key={row.key} row={row} live={live} />);
    }
    end = to;
  }
  if (end < rows.length) space("end", { from: end, to: rows.length });
  return <>{drawn}</>;
}

function Day({ row }: { row: Row & { kind: "day" } }): VNode {
  return (
    <div class="day" data-row={row.key}>
      <h2>{dayOf(row.at)}</h2>
    </div>
  );
}

function SinceLeft({ row }: { row: Row }): VNode {
  return (
    <div class="since-left" data-testid="since-left" data-row={row.key} role="separator" aria-label="New since you left">
      <span>New since you left</span>
    </div>
  );
}

/** As high as its entries would be, so that one can scroll to any of them; they are read once they are in view. */
function Gap({ row, live }: { row: Row & { kind: "gap" }; live: LiveSession }): VNode {
  const { count, seq, isLeading, height } = row;
  const entries = count === 1 ? "1 entry" : `${count.toLocaleString()} entries`;
  return (
    <div class="gap" data-testid={isLeading ? "gap-before" : "gap"} data-row={row.key} style={{ height: `${height}px` }}>
      <p>
        <span>{live.loadingOlder ? "Loading earlier messages…" : `${entries} ${isLeading ? "before" : "in between"}`}</span>
        <button type="button" class="link" disabled={live.loadingOlder} onClick={() => void (isLeading ? live.loadOlder() : live.loadGap(seq))}>
          Load the next ones
        </button>
      </p>
    </div>
  );
}

/** Null where everyone could read it. */
function readers(live: LiveSession, message: Message): string | null {
  const reach = readersOf(message, live.participants);
  return reach && `${reach.reached} of ${reach.total}`;
}

const lastMine = new WeakMap<LiveSession, { version: number; seq: number | null }>();

/** The person's own last message. Looked for after a change alone: while one scrolls, nothing is read again. */
export function lastMineOf(live: Pick<LiveSession, "version" | "isMine"> & { timeline: Pick<LiveSession["timeline"], "entries"> }): number | null {
  const { version } = live;
  const known = lastMine.get(live as LiveSession);
  if (known?.version === version) return known.seq;
  const seq = live.timeline.entries().findLast((entry) => entry.kind === "message" && live.isMine(entry.message))?.seq ?? null;
  lastMine.set(live as LiveSession, { version, seq });
  return seq;
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
