// The signed-in page: the feed beside the open conversation; one of the two on a narrow screen.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import { AdminPane } from "./admin-pane";
import type { AppState } from "./app-state";
import { BrokenHub } from "./broken-hub";
import { ConfirmLeaving } from "./confirm-leaving";
import { Connection } from "./connection";
import { KeptNotice } from "./kept-notice";
import { KeysPrompt } from "./keys-prompt";
import { FeedPane } from "./feed-pane";
import { useRoute, useStore } from "./hooks";
import { Logo } from "./icons";
import { NewRelease } from "./new-release";
import { type DialogName, PageDialogs } from "./page-dialogs";
import { RequestsElsewhere } from "./requests-elsewhere";
import { loadSessionPane, SessionPaneLater } from "./session-pane-later";
import { UnsentElsewhere } from "./unsent-elsewhere";
import { SkipLinks } from "./skip-links";
import { useTriageKeys } from "./triage-keys";

export function Chat({ app, hub }: { app: AppState; hub: Hub }): VNode {
  useStore(hub);
  useStore(hub.feed);
  const route = useRoute();
  const openId = hub.isGuest ? hub.guestSessionId : route.kind === "session" ? route.name : null;
  const adminView = !hub.isGuest && route.kind === "admin" ? route.name : null;
  const isList = !hub.isGuest && openId === null && adminView === null;

  useEffect(() => hub.openSession(openId), [hub, openId]);

  // Ahead of the first press, but not before the list: both would take longer on a slow connection.
  const isListRead = hub.feed.loaded || hub.feed.error !== null;
  useEffect(() => {
    if (hub.isGuest || openId !== null || isListRead) loadSessionPane();
  }, [hub, openId, isListRead]);

  const waiting = hub.feed.pendingTotal;
  useEffect(() => {
    document.title = waiting > 0 ? `(${waiting}) Hiloop Hub` : "Hiloop Hub";
  }, [waiting]);

  const [dialog, setDialog] = useState<DialogName | null>(null);
  const hint = useTriageKeys(hub, dialog === null, setDialog);

  const layout = hub.isGuest ? "guest" : isList ? "list" : "open";
  return (
    <div class={`chat layout-${layout}`}>
      <SkipLinks isOpen={openId !== null} />
      <Connection socket={hub.socket} />
      <div class="notices">
        <KeptNotice kept={hub.kept} />
        <NewRelease release={app.release} />
        <BrokenHub hub={hub} />
        <KeysPrompt keys={hub.keys} />
        <UnsentElsewhere hub={hub} openId={openId} />
      </div>
      {!hub.isGuest && <FeedPane app={app} hub={hub} openId={openId} isMain={isList} onDialog={setDialog} />}
      {adminView !== null ? (
        <AdminPane app={app} hub={hub} view={adminView} />
      ) : hub.current && hub.current.id === openId ? (
        <SessionPaneLater key={hub.current.id} app={app} hub={hub} live={hub.current} />
      ) : (
        <Nothing text={nothingText(hub, openId)} isMain={hub.isGuest || openId !== null} />
      )}
      {app.leaving && <ConfirmLeaving app={app} hub={hub} />}
      <p class="key-hint" role="status" data-testid="key-hint">
        {hint}
      </p>
      <RequestsElsewhere notifier={hub.notifier} />
      <PageDialogs name={dialog} app={app} hub={hub} onClose={() => setDialog(null)} />
    </div>
  );
}

function nothingText(hub: Hub, openId: string | null): string {
  if (hub.error) return hub.error;
  if (hub.isGuest || openId) return "Opening the conversation…";
  return "Choose a conversation, or start a new one.";
}

/** Where no conversation is open, the list is the main part of the page. */
function Nothing({ text, isMain }: { text: string; isMain: boolean }): VNode {
  return (
    <div class="session-pane nothing" role={isMain ? "main" : "region"} aria-label="Conversation">
      {isMain && <h1 class="visually-hidden">Hiloop Hub</h1>}
      <Logo />
      <p>{text}</p>
    </div>
  );
}
