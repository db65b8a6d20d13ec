// One conversation in the list: its title, its last message, its open requests.
import type { VNode } from "preact";
import { type Agent, type FeedItem, preview, sessionTitle } from "@hiloop/sdk/chat";
import { Avatar } from "./avatar";
import { countdown, shortWhen } from "./format";

interface Props {
  item: FeedItem;
  agents: readonly Agent[];
  open: boolean;
  now: number;
}

export function FeedRow({ item, agents, open, now }: Props): VNode {
  const { session, lastMessage, pendingCount, unreadCount, highestPriority, nextDeadlineAt } = item;
  const title = sessionTitle(session, { agents, lastMessage });
  const urgent = highestPriority === "High" || highestPriority === "Urgent";
  return (
    <li>
      <a
        class={`feed-item ${unreadCount > 0 ? "unread" : ""} ${session.status !== "Active" ? "closed" : ""}`}
        href={`#/s/${session.id}`}
        data-testid="feed-item"
        data-session-id={session.id}
        data-pending={pendingCount}
        data-unread={unreadCount}
        aria-current={open ? "page" : undefined}
      >
        <Avatar name={title} />
        <span class="feed-text">
          <span class="feed-line">
            <span class="feed-title" dir="auto">
              {title}
            </span>
            <time dateTime={session.updatedAt}>{shortWhen(lastMessage?.createdAt ?? session.updatedAt, now || Date.now())}</time>
          </span>
          <span class="feed-line">
            <span class="feed-preview" dir="auto">
              {preview(lastMessage)}
            </span>
            {unreadCount > 0 && (
              <span class="count" aria-label={`${unreadCount} unread`}>
                {unreadCount > 99 ? "99+" : unreadCount}
              </span>
            )}
          </span>
          {(pendingCount > 0 || session.status !== "Active") && (
            <span class="feed-tags">
              {pendingCount > 0 && (
                <span class="tag pending">{pendingCount === 1 ? "1 request" : `${pendingCount} requests`}</span>
              )}
              {urgent && pendingCount > 0 && (
                <span class={`tag ${highestPriority === "Urgent" ? "danger" : "warning"}`}>{highestPriority}</span>
              )}
              {nextDeadlineAt && pendingCount > 0 && <span class="tag">{countdown(nextDeadlineAt, now)} left</span>}
              {session.status !== "Active" && <span class="tag">{session.status}</span>}
            </span>
          )}
        </span>
      </a>
    </li>
  );
}
