// The timeline: stays at the end while one is there, loads earlier pages as one scrolls up, and keeps in place what is
// being read while something is added above it.
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LiveSession, Message } from "@hiloop/sdk/chat";
import { DownIcon } from "./icons";
import { Entries } from "./entries";
import { isInSight } from "./jump";
import { OutgoingList } from "./outgoing-list";
import { openRequests, RequestCard } from "./request-card";
import { useSinceLeft } from "./since-left";

const NEAR_END = 80;
const NEAR_START = 400;

interface Props {
  live: LiveSession;
  onAnswer: (message: Message) => void;
}

export function TimelineView({ live, onAnswer }: Props): VNode {
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const top = useRef(0);
  /** The line at the upper edge, and how far from the edge it is. */
  const anchor = useRef<{ line: Element; offset: number } | null>(null);
  const [away, setAway] = useState(false);
  const [seen, setSeen] = useState(0);
  const [hidden, setHidden] = useState<{ id: string; isAbove: boolean } | null>(null);
  const since = useSinceLeft(live);
  const { timeline } = live;
  // The state of this render: when an effect runs, newer entries may exist that are not drawn yet.
  const ready = live.phase === "ready";

  const readHere = (): void => {
    if (live.phase === "ready" && atEnd.current && document.visibilityState === "visible") live.markRead(timeline.last);
  };
  const toEnd = (): void => {
    const el = box.current;
    if (el) el.scrollTop = el.scrollHeight;
  };
  const open = openRequests(live);
  const hold = (): void => {
    const el = box.current;
    const edge = el?.getBoundingClientRect().top ?? 0;
    const lines = inner.current?.children ?? [];
    // The first line that reaches below the edge: they are in order.
    let [from, to] = [0, lines.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if (lines[middle]!.getBoundingClientRect().bottom > edge) to = middle;
      else from = middle + 1;
    }
    // Days and hints come and go.
    while (from < lines.length && !lines[from]!.hasAttribute("data-seq")) from += 1;
    // What has the focus stays in place before anything else.
    const focused = document.activeElement?.closest(".timeline-inner > *") ?? null;
    const line = el && focused && isInSight(focused, el) ? focused : lines[from];
    anchor.current = line ? { line, offset: line.getBoundingClientRect().top - edge } : null;
  };
  const keepPlace = (): void => {
    const el = box.current;
    if (!el) return;
    if (atEnd.current) toEnd();
    else if (anchor.current?.line.isConnected) {
      const { line, offset } = anchor.current;
      el.scrollTop += line.getBoundingClientRect().top - el.getBoundingClientRect().top - offset;
    }
  };
  /** Whether one of the open requests is in sight; else which one to go to. */
  const look = (): void => {
    const el = box.current;
    const places = open.flatMap(({ id }) => {
      const article = el?.querySelector(`[data-message-id="${CSS.escape(id)}"]`);
      return el && article ? [{ id, article, isAbove: article.getBoundingClientRect().top < el.getBoundingClientRect().top }] : [];
    });
    const next = el && places.every(({ article }) => !isInSight(article, el)) ? places[0] : undefined;
    setHidden((now) => (now?.id === next?.id && now?.isAbove === next?.isAbove ? now : next ? { id: next.id, isAbove: next.isAbove } : null));
  };
  const loadIfShort = (): void => {
    const el = box.current;
    if (!el || !ready || el.scrollTop >= NEAR_START) return;
    // Whoever is at the end of more than fits has not scrolled up: the box is just about to follow.
    if (atEnd.current && el.scrollHeight - el.clientHeight > NEAR_START) return;
    void live.loadOlder();
  };

  // Entries added above must not move the visible ones; at the end, entries added below are scrolled into view.
  useLayoutEffect(() => {
    keepPlace();
    hold();
  });

  useEffect(() => {
    loadIfShort();
    readHere();
    look();
  });

  useEffect(() => {
    // Parts of messages are drawn later than the rest.
    const follow = new ResizeObserver(keepPlace);
    if (box.current) follow.observe(box.current);
    if (inner.current) follow.observe(inner.current);
    document.addEventListener("visibilitychange", readHere);
    return () => {
      follow.disconnect();
      document.removeEventListener("visibilitychange", readHere);
    };
  }, [live]);

  const onScroll = (): void => {
    const el = box.current;
    if (!el) return;
    // Growth below does not leave the end, unless the person scrolls up.
    const up = el.scrollTop < top.current;
    top.current = el.scrollTop;
    const end = el.scrollHeight - el.scrollTop - el.clientHeight < NEAR_END || (atEnd.current && !up);
    if (end !== atEnd.current) {
      atEnd.current = end;
      setAway(!end);
      setSeen(timeline.last);
    }
    if (end) readHere();
    hold();
    look();
    loadIfShort();
  };

  const down = (): void => {
    atEnd.current = true;
    setAway(false);
    toEnd();
    readHere();
  };

  return (
    <div class="timeline-frame">
      <RequestCard live={live} count={open.length} next={requestOf(open, hidden)} />
      <div class="timeline" data-testid="timeline" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off" aria-label="Messages">
        <div class="timeline-inner" ref={inner}>
          {live.loadingOlder && <p class="hint">Loading earlier messages…</p>}
          {live.phase === "loading" && <p class="hint">Loading…</p>}
          <Entries live={live} since={since} onAnswer={onAnswer} />
          <OutgoingList live={live} />
        </div>
      </div>
      {away && (
        <button type="button" class="to-end" data-testid="to-end" onClick={down}>
          <DownIcon /> {timeline.last > seen ? "New messages" : "To the end"}
        </button>
      )}
    </div>
  );
}

function requestOf(open: readonly Message[], hidden: { id: string; isAbove: boolean } | null): { message: Message; isAbove: boolean } | null {
  const message = hidden && open.find(({ id }) => id === hidden.id);
  return message ? { message, isAbove: hidden.isAbove } : null;
}
