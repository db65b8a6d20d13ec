// The side: whose page it is, a new conversation, search, and the list of conversations.
import type { VNode } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import type { FeedItem } from "@hiloop/sdk/chat";
import type { AppState } from "./app-state";
import { Avatar } from "./avatar";
import { DecidedListLater } from "./decided-list-later";
import { FeedFilter, type FeedView, type Filter, NOTHING, passes } from "./feed-filter";
import { FeedRow } from "./feed-row";
import { useNow } from "./hooks";
import { IconButton } from "./icon-button";
import { AccountIcon, AdminIcon, KeysIcon, Logo, PlusIcon, SearchIcon, SignOutIcon } from "./icons";
import { useKeptRowFocus } from "./keep-row-focus";
import type { DialogName } from "./page-dialogs";
import { usePressedRow } from "./pressed-row";
import { RowAnswer } from "./row-answer";
import { useRowPlaces } from "./steady-rows";
import { UnsentProvider } from "./unsent-context";

interface Props {
  app: AppState;
  hub: Hub;
  openId: string | null;
  /** Nothing is open beside it. */
  isMain: boolean;
  onDialog: (name: DialogName) => void;
}

export function FeedPane({ app, hub, openId, isMain, onDialog }: Props): VNode {
  const [filter, setFilter] = useState<FeedView>("all");
  const { feed, me } = hub;
  const creating = (): void => onDialog("new");
  const name = me?.name ?? me?.email ?? "";
  return (
    <div class="feed-pane" role={isMain ? "main" : "complementary"} aria-label="Conversations">
      <div class="feed-header">
        <Logo />
        {isMain ? <h1 class="brand">Hiloop Hub</h1> : <p class="brand">Hiloop Hub</p>}
        <IconButton label="Search" hint="Ctrl+K" testid="search" onPress={() => onDialog("search")}>
          <SearchIcon />
        </IconButton>
        <IconButton label="New conversation" testid="new-conversation" onPress={creating}>
          <PlusIcon />
        </IconButton>
      </div>
      <FeedFilter filter={filter} waiting={feed.pendingTotal} onFilter={setFilter} />
      {filter === "decided" ? <DecidedListLater hub={hub} openId={openId} /> : <ConversationList hub={hub} openId={openId} filter={filter} onNew={creating} />}
      <div class="feed-footer">
        <Avatar name={name || "?"} online={hub.socket.state === "online"} />
        <span class="who" data-testid="who" title={me?.email ?? undefined}>
          {name}
        </span>
        <IconButton label="Keyboard shortcuts" hint="?" testid="show-keys" class="keys-button" onPress={() => onDialog("keys")}>
          <KeysIcon />
        </IconButton>
        {hub.isAdmin && (
          <IconButton label="Administration" testid="administration" onPress={() => (location.hash = "#/admin/people")}>
            <AdminIcon />
          </IconButton>
        )}
        <IconButton label="Your settings" testid="account" onPress={() => onDialog("settings")}>
          <AccountIcon />
        </IconButton>
        <IconButton label="Sign out" testid="sign-out" onPress={() => void app.signOut()}>
          <SignOutIcon />
        </IconButton>
      </div>
    </div>
  );
}

interface ListProps {
  hub: Hub;
  openId: string | null;
  filter: Filter;
  onNew: () => void;
}

function ConversationList({ hub, openId, filter, onNew }: ListProps): VNode {
  const list = useRef<HTMLElement>(null);
  useKeptRowFocus(list);
  useRowPlaces(list);
  usePressedRow(list);
  const { feed } = hub;
  // The open one stays in the list, whatever the filter.
  const rows = feed.visible(openId).filter((item) => passes(item, filter) || item.session.id === openId);
  const waiting = rows.filter((item) => item.pendingCount > 0);
  const others = rows.filter((item) => item.pendingCount === 0);
  return (
    <nav class="feed" ref={list} data-testid="feed" aria-label="Conversations">
      {feed.error && <p class="form-error">{feed.error}</p>}
      {!feed.loaded && !feed.error && <p class="hint">Loading…</p>}
      {feed.loaded && rows.length === 0 && (
        <div class="feed-empty">
          <p data-testid="feed-empty">{NOTHING[filter]}</p>
          {filter === "all" && (
            <button type="button" class="button secondary" onClick={onNew}>
              Start one
            </button>
          )}
        </div>
      )}
      <UnsentProvider value={hub.unsent}>
        <Group title="Waiting for you" items={waiting} hub={hub} openId={openId} />
        <Group title={waiting.length > 0 ? "Everything else" : ""} items={others} hub={hub} openId={openId} />
      </UnsentProvider>
      {feed.hasMore && (
        <button type="button" class="button quiet" data-testid="show-more" onClick={() => void feed.loadMore()}>
          {filter === "all" ? "Show more" : "Look further"}
        </button>
      )}
    </nav>
  );
}

interface GroupProps {
  title: string;
  items: FeedItem[];
  hub: Hub;
  openId: string | null;
}

function Group({ title, items, hub, openId }: GroupProps): VNode | null {
  const now = useNow(1_000, items.some((item) => item.nextDeadlineAt !== null));
  if (items.length === 0) return null;
  return (
    <section aria-label={title || "Conversations"}>
      {title && <h2>{title}</h2>}
      <ul>
        {items.map((item) => (
          <FeedRow
            key={item.session.id}
            item={item}
            request={hub.requests.of(item) ?? null}
            agents={hub.agents}
            isMe={(id) => hub.isMe(id)}
            open={item.session.id === openId}
            now={now}
            onWanted={(messageId, byKey) => hub.want({ sessionId: item.session.id, messageId, focus: byKey })}
          >
            {item.session.id !== openId && <RowAnswer hub={hub} item={item} request={hub.requests.of(item) ?? null} />}
          </FeedRow>
        ))}
      </ul>
    </section>
  );
}
