// The side: a new conversation, search, filters, the list of conversations, and whose page it is.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Avatar } from "./avatar";
import { DecidedListLater } from "./decided-list-later";
import { FeedFilter, type FeedView } from "./feed-filter";
import { FeedList } from "./feed-list";
import { IconButton } from "./icon-button";
import { AccountIcon, AdminIcon, KeysIcon, Logo, PlusIcon, SearchIcon, SignOutIcon } from "./icons";
import type { DialogName } from "./page-dialogs";

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
      {filter === "decided" ? <DecidedListLater hub={hub} /> : <FeedList hub={hub} filter={filter} openId={openId} onNew={creating} />}
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
