// In place of the list of conversations: what was decided in them, the newest first, by days.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { sessionTitle } from "@hiloop/sdk/chat";
import { type Decision, decisionsOf, latest } from "../client/decisions";
import type { Hub } from "../client/hub";
import { clock, dayOf, fullTime } from "./format";
import { useStore } from "./hooks";

/** Conversations that are looked through at first, and with each further press. */
const STEP = 50;

export interface DecidedListProps {
  hub: Hub;
}

export function DecidedList({ hub }: DecidedListProps): VNode {
  const decisions = useStore(decisionsOf(hub));
  const { feed } = useStore(hub);
  const [count, setCount] = useState(STEP);
  const items = latest(feed.items, count);
  // What is read follows the list: new answers, further rows, keys that are here now.
  const state = decisions.stateOf(items);
  useEffect(() => void decisions.look(items), [state]);
  useEffect(() => () => decisions.leave(), []);
  const found = decisions.of(items);
  const titles = new Map(items.map(({ session, lastMessage }) => [session.id, sessionTitle(session, { agents: hub.agents, lastMessage })]));

  const further = (): void => {
    setCount(count + STEP);
    if (feed.items.length < count + STEP && feed.hasMore) void feed.loadMore();
  };

  return (
    <nav class="feed" data-testid="decided" aria-label="Decisions" aria-busy={decisions.left > 0}>
      <p class="hint decided-state" role="status" data-testid="decided-state">
        {decisions.error ?? (decisions.left > 0 ? `Looking in ${decisions.left} more…` : found.length === 0 ? "Nothing was decided lately." : "")}
      </p>
      {byDay(found).map(([day, ones]) => (
        <section key={day} aria-label={day}>
          <h2>{day}</h2>
          <ul>
            {ones.map((one) => (
              <Row key={one.messageId} decision={one} title={titles.get(one.sessionId) ?? ""} hub={hub} />
            ))}
          </ul>
        </section>
      ))}
      {count < feed.total && (
        <button type="button" class="button quiet" data-testid="decided-more" onClick={further}>
          Look further
        </button>
      )}
    </nav>
  );
}

function byDay(found: readonly Decision[]): [day: string, ones: Decision[]][] {
  const days = new Map<string, Decision[]>();
  for (const one of found) {
    const day = dayOf(one.at);
    days.set(day, [...(days.get(day) ?? []), one]);
  }
  return [...days];
}

function Row({ decision, title, hub }: { decision: Decision; title: string; hub: Hub }): VNode {
  const { sessionId, messageId, line, about, at } = decision;
  return (
    <li>
      <a
        class="feed-item"
        href={`#/s/${sessionId}`}
        data-testid="decision"
        data-message-id={messageId}
        onClick={({ detail }) => hub.want({ sessionId, messageId, focus: detail === 0 })}
      >
        <span class="feed-text">
          <span class="feed-line">
            <span class="feed-title" dir="auto">
              {about || title}
            </span>
            <time dateTime={at} title={fullTime(at)}>
              {clock(at)}
            </time>
          </span>
          <span class="feed-preview decided-what" dir="auto">
            {line}
          </span>
          {about && (
            <span class="feed-preview decided-in" dir="auto">
              {title}
            </span>
          )}
        </span>
      </a>
    </li>
  );
}
