// Which conversations the list shows.
import type { VNode } from "preact";
import type { FeedItem } from "@hiloop/sdk/chat";

export type Filter = "all" | "needs-me" | "unread";

/** `decided`: what was decided, in place of the conversations. */
export type FeedView = Filter | "decided";

export function passes({ pendingCount, unreadCount }: FeedItem, filter: Filter): boolean {
  if (filter === "needs-me") return pendingCount > 0;
  return filter === "all" || unreadCount > 0;
}

export const NOTHING: Readonly<Record<Filter, string>> = {
  all: "No conversations yet.",
  "needs-me": "Nothing waits for you.",
  unread: "You have read everything.",
};

interface Props {
  filter: FeedView;
  /** Open requests of all conversations. */
  waiting: number;
  onFilter: (filter: FeedView) => void;
}

export function FeedFilter({ filter, waiting, onFilter }: Props): VNode {
  const choice = (value: FeedView, label: string): VNode => (
    <button type="button" class="filter" data-testid={`filter-${value}`} aria-pressed={filter === value} onClick={() => onFilter(value)}>
      {label}
    </button>
  );
  return (
    <div class="filters" role="group" aria-label="Show">
      {choice("all", "All")}
      {choice("needs-me", waiting > 0 ? `Needs me ${waiting > 999 ? "999+" : waiting}` : "Needs me")}
      {choice("unread", "Unread")}
      {choice("decided", "Decided")}
    </div>
  );
}
