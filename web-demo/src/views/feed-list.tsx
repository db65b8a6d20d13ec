// The list of conversations: what waits for the person, then everything else. Only the rows around what is in view are
// drawn; the others are read once one scrolls to them.
import type { ComponentChild, VNode } from "preact";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef } from "preact/hooks";
import type { Hub } from "../client/hub";
import { type Filter, NOTHING } from "./feed-filter";
import { FeedRow } from "./feed-row";
import { type Group, type ListRow, type Rows, rowsOf } from "./feed-rows";
import { FeedScroll } from "./feed-scroll";
import { canStep } from "./feed-steps";
import { useNow } from "./hooks";
import { DownIcon } from "./icons";
import { useKeptRowFocus } from "./keep-row-focus";
import { usePressedRow } from "./pressed-row";
import { RowAnswer } from "./row-answer";
import type { Range } from "./row-window";
import { useRowPlaces } from "./steady-rows";
import { UnsentProvider } from "./unsent-context";

interface Props {
  hub: Hub;
  filter: Filter;
  openId: string | null;
  onNew: () => void;
}

export function FeedList({ hub, filter, openId, onNew }: Props): VNode {
  const { feed } = hub;
  const box = useRef<HTMLElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const kept = useRef<FeedScroll | null>(null);
  const scroll = (kept.current ??= new FeedScroll(() => redraw(undefined)));
  const filtered = useRef(filter);
  if (filtered.current !== filter) scroll.restart();
  filtered.current = filter;
  useKeptRowFocus(box);
  useRowPlaces(box);
  usePressedRow(box);
  const rows = useMemo(() => rowsOf(feed, filter, openId), [feed.items, feed.total, feed.pendingSessions, filter, openId]);
  const ranges = scroll.plan(rows.all, openId);

  useLayoutEffect(() => (box.current && inner.current ? scroll.attach(box.current, inner.current) : undefined), [scroll]);
  useLayoutEffect(() => (box.current ? canStep(box.current, scroll) : undefined), [scroll]);
  useLayoutEffect(() => scroll.drawn());

  // Those that pass a filter may stand anywhere.
  const looksFurther = feed.loaded && feed.hasMore && (filter === "unread" || (filter === "needs-me" && rows.sizes.waiting > loadedOf(rows.all)));
  useEffect(() => {
    if (!feed.loaded) return;
    feed.look(scroll.stretches(), filter === "unread");
    if (looksFurther && scroll.nearEnd && !feed.isReading) void feed.loadMore();
  });

  const asked = scroll.asked.size;
  return (
    <nav class="feed" ref={box} data-testid="feed" aria-label="Conversations">
      {asked > 0 && (
        <div class="feed-asked">
          <button type="button" data-testid="feed-asked" onClick={() => scroll.toTop()}>
            <DownIcon /> {asked === 1 ? "1 new request" : `${asked} new requests`}
          </button>
        </div>
      )}
      {feed.error && <p class="form-error">{feed.error}</p>}
      {!feed.loaded && !feed.error && <p class="hint">Loading…</p>}
      {feed.loaded && rows.all.length === 0 && !looksFurther && (
        <div class="feed-empty">
          <p data-testid="feed-empty">{NOTHING[filter]}</p>
          {filter === "all" && (
            <button type="button" class="button secondary" onClick={onNew}>
              Start one
            </button>
          )}
        </div>
      )}
      <div class="feed-inner" ref={inner}>
        <UnsentProvider value={hub.unsent}>
          <GroupView group="waiting" hub={hub} openId={openId} rows={rows} ranges={ranges} scroll={scroll} />
          <GroupView group="others" hub={hub} openId={openId} rows={rows} ranges={ranges} scroll={scroll} />
        </UnsentProvider>
      </div>
      {looksFurther && (
        <p class="hint" data-testid="looking-further">
          Looked through {feed.items.length.toLocaleString()} of {feed.total.toLocaleString()} conversations.
        </p>
      )}
      {scroll.hasFurther && (
        <button type="button" class="button quiet feed-further" data-testid="show-more" onClick={() => scroll.further()}>
          Go on with the next conversations
        </button>
      )}
    </nav>
  );
}

function loadedOf(rows: readonly ListRow[]): number {
  return rows.filter(({ kind, group }) => kind === "conversation" && group === "waiting").length;
}

interface GroupProps {
  group: Group;
  hub: Hub;
  openId: string | null;
  rows: Rows;
  /** The rows to draw, in order. */
  ranges: readonly Range[];
  scroll: FeedScroll;
}

function GroupView({ group, hub, openId, rows, ranges, scroll }: GroupProps): VNode | null {
  const { all, sizes } = rows;
  const first = all.findIndex((row) => row.group === group);
  const count = all.filter((row) => row.group === group).length;
  const drawn = ranges.map(({ from, to }) => ({ from: Math.max(from, first), to: Math.min(to, first + count) })).filter(({ from, to }) => from < to);
  const now = useNow(1_000, drawn.some(({ from, to }) => all.slice(from, to).some((row) => row.kind === "conversation" && row.item.nextDeadlineAt !== null)));
  if (first < 0) return null;
  const heading = all[first];
  const title = heading?.kind === "heading" ? heading.title : "";
  const lines: ComponentChild[] = [];
  const space = (key: string, from: number, to: number): void => {
    if (to > from) lines.push(<li key={`space-${key}`} class="feed-space" aria-hidden="true" style={{ height: `${scroll.spaceOf({ from, to })}px` }} />);
  };
  let end = first + 1;
  for (const range of drawn) {
    const from = Math.max(range.from, first + 1);
    space(end === first + 1 ? "start" : String(all[from]?.key), end, from);
    for (let i = from; i < range.to; i += 1) {
      const row = all[i] as ListRow;
      if (row.kind === "gap") lines.push(<li key={row.key} class="feed-gap" data-testid="feed-gap" data-row={row.key} aria-hidden="true" style={{ height: `${row.height}px` }} />);
      if (row.kind !== "conversation") continue;
      const { item } = row;
      const request = hub.requests.of(item) ?? null;
      lines.push(
        <FeedRow
          key={row.key}
          item={item}
          request={request}
          agents={hub.agents}
          isMe={(id) => hub.isMe(id)}
          open={row.key === openId}
          now={now}
          position={row.position}
          size={sizes[group]}
          onWanted={(messageId, byKey) => hub.want({ sessionId: row.key, messageId, focus: byKey })}
        >
          {row.key !== openId && <RowAnswer hub={hub} item={item} request={request} />}
        </FeedRow>,
      );
    }
    end = Math.max(end, range.to);
  }
  space("end", end, first + count);
  return (
    <section aria-label={title || "Conversations"}>
      {title && <h2 data-row={heading?.key}>{title}</h2>}
      <ul>{lines}</ul>
    </section>
  );
}
