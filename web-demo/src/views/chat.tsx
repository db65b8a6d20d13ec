// The signed-in page: the feed beside the open conversation; one of the two on a narrow screen.
import type { VNode } from "preact";
import { useEffect } from "preact/hooks";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { ConfirmLeaving } from "./confirm-leaving";
import { Connection } from "./connection";
import { KeysPrompt } from "./keys-prompt";
import { FeedPane } from "./feed-pane";
import { useRoute, useStore } from "./hooks";
import { Logo } from "./icons";
import { SessionPane } from "./session-pane";
import { UnsentElsewhere } from "./unsent-elsewhere";

export function Chat({ app, hub }: { app: AppState; hub: Hub }): VNode {
  useStore(hub);
  useStore(hub.feed);
  const route = useRoute();
  const openId = hub.isGuest ? hub.guestSessionId : route;

  useEffect(() => hub.openSession(openId), [hub, openId]);

  const waiting = hub.feed.pendingTotal;
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Hiloop Hub` : "Hiloop Hub";
  }, [waiting]);

  const layout = hub.isGuest ? "guest" : openId ? "open" : "list";
  return (
    <div class={`chat layout-${layout}`}>
      <Connection socket={hub.socket} />
      <div class="notices">
        <KeysPrompt keys={hub.keys} />
        <UnsentElsewhere hub={hub} openId={openId} />
      </div>
      {!hub.isGuest && <FeedPane app={app} hub={hub} openId={openId} />}
      {hub.current && hub.current.id === openId ? (
        <SessionPane key={hub.current.id} app={app} hub={hub} live={hub.current} />
      ) : (
        <Nothing text={nothingText(hub, openId)} />
      )}
      {app.leaving && <ConfirmLeaving app={app} hub={hub} />}
    </div>
  );
}

function nothingText(hub: Hub, openId: string | null): string {
  if (hub.error) return hub.error;
  if (hub.isGuest || openId) return "Opening the conversation…";
  return "Choose a conversation, or start a new one.";
}

function Nothing({ text }: { text: string }): VNode {
  return (
    <main class="session-pane nothing">
      <Logo />
      <p>{text}</p>
    </main>
  );
}
