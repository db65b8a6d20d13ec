// The open conversation: its head, its timeline, the composer.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import { type LiveSession, type Message, sessionTitle } from "@hiloop/sdk/chat";
import { Announcer } from "./announcer";
import type { AppState } from "./app-state";
import { targetOf } from "../client/target";
import { Composer } from "./composer";
import { useStore } from "./hooks";
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
  const title = session ? sessionTitle(session, { agents: hub.agents, participants: live.participants }) : "";
  const answer = (message: Message): void => {
    drafts.set(live.id, { text: drafts.get(live.id).text, target: targetOf(message, "answer") });
    document.querySelector<HTMLTextAreaElement>("[data-testid=composer]")?.focus();
  };

  return (
    <UnsentProvider value={hub.unsent}>
      <main class="session-pane" data-testid="session" data-session-id={live.id} data-phase={live.phase} aria-label={title}>
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
