// Which events that are not loaded are read next: those of a gap in view or close to it, one page at a time.
import type { ListWindow, Stretch } from "./list-window";
import { seqAt } from "./timeline-anchor";
import type { Row } from "./timeline-rows";

/** The distance from the view within which events are read. */
export const NEAR_GAP = 600;
/** Events of one reading. */
const PAGE = 200;

/** Events by number, `to` included; "passing": none now, since the person scrolls past. */
export type NextReading = { from: number; to: number } | "passing" | null;

export function nextReading(list: ListWindow<Row>, { top, bottom }: Stretch, isScrolling: boolean): NextReading {
  const { layout } = list;
  const { from, to } = layout.between(top - NEAR_GAP, bottom + NEAR_GAP);
  const gaps: number[] = [];
  for (let i = from; i < to; i += 1) if (list.rows[i]?.kind === "gap") gaps.push(i);
  const i = gaps.find((index) => layout.topOf(index) < bottom && layout.topOf(index + 1) > top) ?? gaps[0];
  const gap = i === undefined ? undefined : list.rows[i];
  if (i === undefined || gap?.kind !== "gap") return null;
  const near = seqAt(list, Math.max(top - NEAR_GAP, layout.topOf(i)), i);
  const far = seqAt(list, Math.min(bottom + NEAR_GAP, layout.topOf(i + 1)), i);
  const last = gap.seq + gap.count - 1;
  // Next to what is here, else around the middle of what is in view, unless one scrolls past it.
  if (far >= last - PAGE / 2) return { from: Math.max(gap.seq, last - PAGE + 1), to: last };
  if (near <= gap.seq + PAGE / 2) return { from: gap.seq, to: gap.seq + PAGE - 1 };
  if (isScrolling) return "passing";
  return { from: Math.round((near + far - PAGE) / 2), to: Math.round((near + far + PAGE) / 2) - 1 };
}
