// The side: whose page it is, a new conversation, and the list of conversations.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import type { FeedItem } from "@hiloop/sdk/chat";
import type { AppState } from "./app-state";
import { Account } from "./account";
import { Avatar } from "./avatar";
import { FeedRow } from "./feed-row";
import { useNow } from "./hooks";
import { AccountIcon, Logo, PlusIcon, SignOutIcon } from "./icons";
import { NewConversation } from "./new-conversation";

interface Props {
  app: AppState;
  hub: Hub;
  openId: string | null;
}

export function FeedPane({ app, hub, openId }: Props): VNode {
  const [creating, setCreating] = useState(false);
  const [managing, setManaging] = useState(false);
  const { feed, me } = hub;
  const waiting = feed.items.filter((item) => item.pendingCount > 0);
  const others = feed.items.filter((item) => item.pendingCount === 0);
  const name = me?.name ?? me?.email ?? "";
  return (
    <aside class="feed-pane" aria-label="Conversations">
      <header class="feed-header">
        <Logo />
        <h1>Hiloop Hub</h1>
        <button
          type="button"
          class="icon-button"
          data-testid="new-conversation"
          aria-label="New conversation"
          title="New conversation"
          onClick={() => setCreating(true)}
        >
          <PlusIcon />
        </button>
      </header>
      <nav class="feed" data-testid="feed" aria-label="Conversations">
        {feed.error && <p class="form-error">{feed.error}</p>}
        {!feed.loaded && !feed.error && <p class="hint">Loading…</p>}
        {feed.loaded && feed.items.length === 0 && (
          <div class="feed-empty">
            <p>No conversations yet.</p>
            <button type="button" class="button secondary" onClick={() => setCreating(true)}>
              Start one
            </button>
          </div>
        )}
        <Group title="Waiting for you" items={waiting} hub={hub} openId={openId} />
        <Group title={waiting.length > 0 ? "Everything else" : ""} items={others} hub={hub} openId={openId} />
        {feed.hasMore && (
          <button type="button" class="button quiet" onClick={() => void feed.loadMore()}>
            Show more
          </button>
        )}
      </nav>
      <footer class="feed-footer">
        <Avatar name={name || "?"} online={hub.socket.state === "online"} />
        <span class="who" data-testid="who" title={me?.email ?? undefined}>
          {name}
        </span>
        <button
          type="button"
          class="icon-button"
          data-testid="account"
          aria-label="Your account"
          title="Your account"
          onClick={() => setManaging(true)}
        >
          <AccountIcon />
        </button>
        <button
          type="button"
          class="icon-button"
          data-testid="sign-out"
          aria-label="Sign out"
          title="Sign out"
          onClick={() => void app.signOut()}
        >
          <SignOutIcon />
        </button>
      </footer>
      {creating && <NewConversation hub={hub} onClose={() => setCreating(false)} />}
      {managing && <Account app={app} hub={hub} onClose={() => setManaging(false)} />}
    </aside>
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
          <FeedRow key={item.session.id} item={item} agents={hub.agents} open={item.session.id === openId} now={now} />
        ))}
      </ul>
    </section>
  );
}
