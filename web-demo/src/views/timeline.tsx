// The timeline: the rows around what is in view, the card of requests out of sight, and the way back to the end.
import type { TargetedKeyboardEvent, VNode } from "preact";
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks";
import type { LiveSession, Message } from "@hiloop/sdk/chat";
import { DownIcon } from "./icons";
import { Entries } from "./entries";
import { canShow } from "./jump";
import { OutgoingList } from "./outgoing-list";
import { openRequests, RequestCard } from "./request-card";
import { useSinceLeft } from "./since-left";
import { rowsOf } from "./timeline-rows";
import { type OutOfSight, TimelineScroll } from "./timeline-scroll";

interface Props {
  live: LiveSession;
  onAnswer: (message: Message) => void;
}

export function TimelineView({ live, onAnswer }: Props): VNode {
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const kept = useRef<TimelineScroll | null>(null);
  const scroll = (kept.current ??= new TimelineScroll(live, () => redraw(undefined)));
  const [hidden, setHidden] = useState<OutOfSight | null>(null);
  const since = useSinceLeft(live);
  const { timeline } = live;
  const open = openRequests(live);
  const rows = rowsOf(live, since);
  const ranges = scroll.plan(rows);

  const readHere = (): void => {
    if (live.phase === "ready" && scroll.atEnd && document.visibilityState === "visible") live.markRead(timeline.last);
  };
  const look = (): void => {
    const next = scroll.outOfSight(open);
    setHidden((now) => (now?.id === next?.id && now?.isAbove === next?.isAbove ? now : next));
  };

  useLayoutEffect(() => (box.current && inner.current ? scroll.attach(box.current, inner.current) : undefined), [scroll]);
  useLayoutEffect(() => canShow(live, (id, focus) => scroll.show(id, focus)), [live, scroll]);

  // Rows added above must not move the visible ones; at the end, rows added below are scrolled into view.
  useLayoutEffect(() => scroll.drawn());

  useEffect(() => {
    scroll.load();
    readHere();
    look();
  });

  useEffect(() => {
    document.addEventListener("visibilitychange", readHere);
    return () => document.removeEventListener("visibilitychange", readHere);
  });

  const onScroll = (): void => {
    if (scroll.scrolled()) redraw(undefined);
    if (scroll.atEnd) readHere();
    look();
    scroll.load();
  };

  const down = (): void => {
    scroll.toEnd();
    readHere();
  };

  // At once: on the way there the browser would pass by what is not loaded, and miss an end that moves.
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLDivElement>): void => {
    if (event.target !== box.current || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "End") down();
    else if (event.key === "Home") event.currentTarget.scrollTop = 0;
    else return;
    event.preventDefault();
  };

  return (
    <div class="timeline-frame">
      <RequestCard live={live} count={open.length} next={requestOf(open, hidden)} />
      <div class="timeline" data-testid="timeline" ref={box} onScroll={onScroll} onKeyDown={onKeyDown} tabIndex={0} role="log" aria-live="off" aria-label="Messages">
        <div class="timeline-inner" ref={inner}>
          {live.phase === "loading" && <p class="hint">Loading…</p>}
          <Entries live={live} rows={rows} ranges={ranges} spaceOf={(range) => scroll.spaceOf(range)} onAnswer={onAnswer} />
          <OutgoingList live={live} />
        </div>
      </div>
      {!scroll.atEnd && (
        <button type="button" class="to-end" data-testid="to-end" onClick={down}>
          <DownIcon /> {timeline.last > scroll.leftAt ? "New messages" : "To the end"}
        </button>
      )}
    </div>
  );
}

function requestOf(open: readonly Message[], hidden: OutOfSight | null): { message: Message; isAbove: boolean } | null {
  const message = hidden && open.find(({ id }) => id === hidden.id);
  return message ? { message, isAbove: hidden.isAbove } : null;
}
