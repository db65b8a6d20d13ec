// Finds open requests far up in a long conversation. The hub lists no open messages, so the log is read backwards in
// large pages, of which only the surroundings of what is found are kept.
import type { HubEvent, Message, TimelinePage } from "../types.js";
import type { Timeline } from "./timeline.js";

const PAGE = 1_000;
/** Pages of one search; another one goes on from there. */
const MAX_PAGES = 120;
/** Events around a request that are shown with it. */
const AROUND = 20;

interface Search {
  timeline: Timeline;
  /** The first event that the hub keeps. */
  oldest: number;
  /** How many are still to be found. */
  missing: () => number;
  read: (after: number, limit: number) => Promise<TimelinePage>;
  add: (events: readonly HubEvent[]) => void;
}

/** Where the last search of a timeline stopped. */
const searched = new WeakMap<Timeline, number>();

export async function findEarlierRequests({ timeline, oldest, missing, read, add }: Search): Promise<void> {
  let first = Math.min(timeline.tail, searched.get(timeline) ?? Infinity);
  for (let page = 0; page < MAX_PAGES && first > oldest && missing() > 0; page += 1) {
    const after = Math.max(oldest - 1, first - 1 - PAGE);
    const data = await readRange(read, after, first - 1);
    // From the end: what settles a request comes after it.
    timeline.settleBy(data);
    for (const { seq } of data.filter(isOpenIn(timeline))) add(data.filter((event) => Math.abs(event.seq - seq) <= AROUND));
    first = after + 1;
    searched.set(timeline, first);
  }
}

/** A reply may hold less than was asked for. Anything else than the events of the range, in order, is left out. */
export async function readRange(read: Search["read"], after: number, last: number): Promise<HubEvent[]> {
  const events: HubEvent[] = [];
  for (let next = after; next < last; next = events.at(-1)!.seq) {
    const { data } = await read(next, last - next);
    const fresh = data.filter(({ seq }) => seq > next && seq <= last).sort((a, b) => a.seq - b.seq);
    if (fresh.length === 0) break;
    events.push(...fresh);
  }
  return events;
}

function isOpenIn(timeline: Timeline): (event: HubEvent) => boolean {
  return ({ type, data }) => {
    const message = data?.message as Message | undefined;
    return type === "message.created" && message?.responseRequired === true && !timeline.isSettled(message.id);
  };
}
