// One conversation in the list: its title, who asks what in it, else its last message.
import type { ComponentChildren, VNode } from "preact";
import { type Agent, authorName, type FeedItem, isSealedByScheme, type Message, openedOf, preview, sessionTitle } from "@hiloop/sdk/chat";
import { agentOf, lineOf } from "../client/verdict";
import { Avatar } from "./avatar";
import { countdown, shortWhen } from "./format";

interface Props {
  item: FeedItem;
  /** The open request that it names; null where there is none, or none is known. */
  request: Message | null;
  agents: readonly Agent[];
  isMe: (id: string | null) => boolean;
  open: boolean;
  now: number;
  /** Where it stands in its group, and how many there are, drawn or not; -1: nobody knows. */
  position: number;
  size: number;
  /** It was opened while something waits in it; `byKey`: without a pointer. */
  onWanted: (messageId: string | null, byKey: boolean) => void;
  /** Beside the link, not in it: what answers its request. */
  children?: ComponentChildren;
}

export function FeedRow({ item, request, agents, isMe, open, now, position, size, onWanted, children }: Props): VNode {
  const { session, lastMessage, pendingCount, unreadCount, highestPriority, nextDeadlineAt } = item;
  const title = sessionTitle(session, { agents, lastMessage });
  const agent = agentOf(item, agents, title);
  const urgent = highestPriority === "High" || highestPriority === "Urgent";
  return (
    <li data-row={session.id} aria-posinset={position} aria-setsize={size}>
      <a
        class={`feed-item ${unreadCount > 0 ? "unread" : ""} ${session.status !== "Active" ? "closed" : ""}`}
        href={`#/s/${session.id}`}
        data-testid="feed-item"
        data-session-id={session.id}
        data-pending={pendingCount}
        data-unread={unreadCount}
        aria-current={open ? "page" : undefined}
        onClick={(event) => {
          if (pendingCount > 0) onWanted(request?.id ?? null, event.detail === 0);
        }}
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
            {request ? (
              <span class="feed-preview feed-request" dir="auto" data-testid="feed-request">
                <b>{authorName(request)} asks:</b> {words(request)}
              </span>
            ) : (
              <span class="feed-preview" dir="auto">
                {agent && <span data-testid="feed-agent">{agent} · </span>}
                {lineOf(lastMessage, isMe)}
              </span>
            )}
            {unreadCount > 0 && (
              <span class="count">
                <span aria-hidden="true">{unreadCount > 99 ? "99+" : unreadCount}</span>
                <span class="visually-hidden">{unreadCount} unread</span>
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
      {children}
    </li>
  );
}

function words(request: Message): string {
  const isClosed = isSealedByScheme(request.encryptedContent) && !openedOf(request);
  return isClosed ? "an encrypted question" : preview(request);
}
