// The place in the timeline that stays where it is on the screen while rows are added, loaded or dropped around it.
import { firstIndex } from "@hiloop/sdk/chat";
import type { ListWindow, Stretch } from "./list-window";
import type { Row } from "./timeline-rows";

export interface Anchor {
  /** Of its row. */
  key: string;
  /** The event at the place; within a gap, the one that would be there. */
  seq: number;
  /** How far below the upper edge of the view the top of its row is. */
  offset: number;
}

type Rows = ListWindow<Row>;

export function anchorOf(row: Row, offset: number): Anchor {
  return { key: row.key, offset, seq: seqWithin(row, -offset) };
}

/** The place at a height. */
export function anchorAt(list: Rows, y: number): Anchor {
  const i = list.layout.at(y);
  return anchorOf(list.rows[i] as Row, list.layout.topOf(i) - y);
}

/** The place among other rows than before: an event that is now in a gap, or gone, has a place in the order. */
export function anchorAmong(list: Rows, anchor: Anchor): Anchor | null {
  const known = list.row(anchor.key);
  if (known && known.kind !== "gap") return anchor;
  const at = list.rows[lastRowUpTo(list.rows, anchor.seq)];
  return at ? { key: at.key, seq: anchor.seq, offset: at.kind === "gap" ? -(anchor.seq - at.seq) * unitOf(at) : 0 } : null;
}

/** The part of the list that is in view; its end if nothing is in place. */
export function viewAt(list: Rows, anchor: Anchor | null, height: number): Stretch {
  const i = anchor ? list.indexOf(anchor.key) : undefined;
  const top = !anchor || i === undefined ? list.layout.total - height : list.layout.topOf(i) - anchor.offset;
  return { top, bottom: top + height };
}

/** The event at a height, of a fraction within a gap. */
export function seqAt(list: Rows, y: number, index = list.layout.at(y)): number {
  const row = list.rows[index];
  return row ? seqWithin(row, y - list.layout.topOf(index)) : 0;
}

function seqWithin(row: Row, y: number): number {
  if (row.kind !== "gap") return row.seq;
  return row.seq + Math.max(0, Math.min(row.count - 1, y / unitOf(row)));
}

function unitOf({ height, count }: Row & { kind: "gap" }): number {
  return height / Math.max(1, count);
}

/** The last row that is not after an event. */
function lastRowUpTo(rows: readonly Row[], seq: number): number {
  return Math.max(0, firstIndex(rows.length, (i) => (rows[i] as Row).seq > seq) - 1);
}
