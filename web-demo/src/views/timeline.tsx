// The timeline: stays at the end while one is there, loads earlier pages as one scrolls up.
import type { VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LiveSession, Message } from "@hiloop/sdk/chat";
import { DownIcon } from "./icons";
import { Entries } from "./entries";
import { OutgoingList } from "./outgoing-list";

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
  const before = useRef({ first: 0, height: 0 });
  const [away, setAway] = useState(false);
  const [seen, setSeen] = useState(0);
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
  const loadIfShort = (): void => {
    const el = box.current;
    if (!el || !ready || el.scrollTop >= NEAR_START) return;
    // Whoever is at the end of more than fits has not scrolled up: the box is just about to follow.
    if (atEnd.current && el.scrollHeight - el.clientHeight > NEAR_START) return;
    void live.loadOlder();
  };

  // Entries added above must not move the visible ones; at the end, entries added below are scrolled into view.
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    const { first, height } = before.current;
    if (timeline.first < first && !atEnd.current) el.scrollTop += el.scrollHeight - height;
    else if (atEnd.current) toEnd();
    before.current = { first: timeline.first, height: el.scrollHeight };
  });

  useEffect(() => {
    loadIfShort();
    readHere();
  });

  useEffect(() => {
    const follow = new ResizeObserver(() => {
      if (atEnd.current) toEnd();
    });
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
      <div class="timeline" data-testid="timeline" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off" aria-label="Messages">
        <div class="timeline-inner" ref={inner}>
          {live.loadingOlder && <p class="hint">Loading earlier messages…</p>}
          {live.phase === "loading" && <p class="hint">Loading…</p>}
          <Entries live={live} onAnswer={onAnswer} />
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
