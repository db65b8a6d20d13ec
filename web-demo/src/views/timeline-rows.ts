// The rows of the timeline: days, messages, small lines, the place where the person left, and what is not loaded.
import { type Entry, firstIndex, type HubEvent, type LiveSession, type Message } from "@hiloop/sdk/chat";
import type { Item } from "./row-window";

export type Row = Item & { seq: number } & (
    | { kind: "message"; message: Message }
    | { kind: "system"; event: HubEvent }
    | { kind: "day"; at: string }
    | { kind: "since" }
    | { kind: "gap"; count: number; height: number; isLeading: boolean }
  );

/** What an event that is not loaded takes up, and all of them together: browsers limit the height of a page. */
const GAP_ROW_PX = 60;
const MAX_GAPS_PX = 6_000_000;
/** Room for its words. */
const MIN_GAP_PX = 64;

interface Made {
  entries: readonly Entry[];
  sinceSeq: number | null;
  lead: number;
  rows: readonly Row[];
}

const made = new WeakMap<LiveSession, Made>();

/** `since`: the last event that the person has read before coming back; null for no line. The same array until something changes. */
export function rowsOf(live: LiveSession, since: number | null): readonly Row[] {
  const { timeline } = live;
  const entries = timeline.entries();
  const lead = live.phase === "ready" && live.hasOlder ? live.oldestSeq : 0;
  const known = made.get(live);
  const sinceSeq = since === null ? null : firstNew(live, entries, since);
  if (known && known.entries === entries && known.sinceSeq === sinceSeq && known.lead === lead) return known.rows;
  const rows = build(lead === 0 ? entries : [{ kind: "gap", seq: lead, count: timeline.first - lead }, ...entries], sinceSeq, lead > 0);
  made.set(live, { entries, sinceSeq, lead, rows });
  return rows;
}

/** The message above which the line is; null where there is none, or nothing above it. */
function firstNew(live: LiveSession, entries: readonly Entry[], since: number): number | null {
  const from = firstIndex(entries.length, (i) => (entries[i] as Entry).seq > since);
  // Where the person left is not loaded.
  const before = entries[from - 1];
  if (!before || (before.kind === "gap" && before.seq + before.count - 1 > since)) return null;
  for (let i = from; i < entries.length; i += 1) {
    const entry = entries[i] as Entry;
    if (entry.kind === "message" && !live.isMine(entry.message)) return entry.seq;
  }
  return null;
}

function build(entries: readonly Entry[], sinceSeq: number | null, hasLead: boolean): Row[] {
  const rows: Row[] = [];
  const missing = entries.reduce((sum, entry) => (entry.kind === "gap" ? sum + entry.count : sum), 0);
  const unit = Math.min(GAP_ROW_PX, MAX_GAPS_PX / Math.max(1, missing));
  let day = -1;
  for (const entry of entries) {
    const { seq } = entry;
    if (entry.kind === "gap") {
      day = -1;
      rows.push({ kind: "gap", key: `gap-${seq}`, seq, count: entry.count, height: Math.max(MIN_GAP_PX, Math.round(entry.count * unit)), isLeading: hasLead && rows.length === 0 });
      continue;
    }
    const at = entry.kind === "message" ? entry.message.createdAt : entry.event.at;
    const today = dayNumber(at);
    if (today !== day) {
      day = today;
      rows.push({ kind: "day", key: `day-${seq}`, seq, at });
    }
    if (seq === sinceSeq) rows.push({ kind: "since", key: "since-left", seq });
    if (entry.kind === "message") rows.push({ kind: "message", key: String(seq), seq, message: entry.message });
    else rows.push({ kind: "system", key: String(seq), seq, event: entry.event });
  }
  return rows;
}

const days = new Map<string, number>();

/** Another one for each day here. By minutes, which are read again and again. */
function dayNumber(at: string): number {
  const minute = String(at).slice(0, 16);
  const known = days.get(minute);
  if (known !== undefined) return known;
  const number = dateNumber(new Date(at));
  if (days.size > 20_000) days.clear();
  days.set(minute, number);
  return number;
}

function dateNumber(date: Date): number {
  return date.getFullYear() * 512 + date.getMonth() * 32 + date.getDate();
}
