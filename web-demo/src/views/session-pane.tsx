// The open conversation: its head, its timeline, the composer.
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Hub } from "../client/hub";
import { type LiveSession, type Message, sessionTitle } from "@hiloop/sdk/chat";
import { Announcer } from "./announcer";
import type { AppState } from "./app-state";
import { targetOf } from "../client/target";
import { Composer } from "./composer";
import { useStore } from "./hooks";
import { showMessage } from "./jump";
import { useKeptFocus } from "./keep-focus";
import { openRequests } from "./request-card";
import { SessionHeader } from "./session-header";
import { TimelineView } from "./timeline";
import { TypingLine } from "./typing-line";
import { UnsentProvider } from "./unsent-context";

interface Props {
  app: AppState;
  hub: Hub;
  live: LiveSession;
}

export function SessionPane({ app, hub, live }: Props): VNode {
  useStore(live);
  const { session } = live;
  const { drafts } = hub.unsent;

  useKeptFocus();
  const searched = useRef(false);
  // What was asked for in the list, once it is here; the list may name none, or one that is further up.
  useEffect(() => {
    const { wanted } = hub;
    if (wanted?.sessionId !== live.id || live.phase !== "ready") return;
    const messageId = wanted.messageId ?? openRequests(live)[0]?.id;
    if (messageId !== undefined) {
      hub.wanted = null;
      showMessage(live, messageId, { focus: wanted.focus });
    } else if (live.earlierRequests > 0 && !searched.current) {
      searched.current = true;
      void live.loadOpenRequests();
    } else if (!live.loadingOlder) hub.wanted = null;
  });

  const title = session ? sessionTitle(session, { agents: hub.agents, participants: live.participants }) : "";
  const answer = (message: Message): void => {
    drafts.set(live.id, { text: drafts.get(live.id).text, target: targetOf(message, "answer") });
    showMessage(live, message.id);
    document.querySelector<HTMLTextAreaElement>("[data-testid=composer]")?.focus();
  };

  return (
    <UnsentProvider value={hub.unsent}>
      <main class="session-pane" tabIndex={-1} data-testid="session" data-session-id={live.id} data-phase={live.phase} aria-label={title}>
        <SessionHeader app={app} hub={hub} live={live} title={title} />
        {live.phase === "failed" ? (
          <div class="nothing">
            <p role="alert">{live.error}</p>
            {live.retriesAt !== null && (
              <p>
                It is tried again by itself.{" "}
                <button type="button" class="link" data-testid="retry-open" onClick={() => void live.start()}>
                  Try now
                </button>
              </p>
            )}
          </div>
        ) : (
          <TimelineView live={live} onAnswer={answer} />
        )}
        <TypingLine live={live} />
        {live.phase !== "failed" && <Composer live={live} />}
        <Announcer live={live} />
      </main>
    </UnsentProvider>
  );
}
