// The open conversation: its head, its timeline, the composer.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import { type LiveSession, type Message, sessionTitle } from "@hiloop/sdk/chat";
import { Announcer } from "./announcer";
import type { AppState } from "./app-state";
import { Composer } from "./composer";
import { useStore } from "./hooks";
import { SessionHeader } from "./session-header";
import { TimelineView } from "./timeline";
import { TypingLine } from "./typing-line";

interface Props {
  app: AppState;
  hub: Hub;
  live: LiveSession;
}

export function SessionPane({ app, hub, live }: Props): VNode {
  useStore(live);
  const [answeringId, setAnsweringId] = useState<string | null>(null);
  const { session } = live;
  const answering = answeringId === null ? null : (live.timeline.message(answeringId) ?? null);

  // Another person has settled it: the draft becomes a plain message.
  const gone = answering !== null && answering.status !== "Pending";
  useEffect(() => {
    if (gone) setAnsweringId(null);
  }, [gone]);

  const title = session ? sessionTitle(session, { agents: hub.agents, participants: live.participants }) : "";
  const answer = (message: Message): void => {
    setAnsweringId(message.id);
    document.querySelector<HTMLTextAreaElement>("[data-testid=composer]")?.focus();
  };

  return (
    <main class="session-pane" data-testid="session" data-session-id={live.id} data-phase={live.phase} aria-label={title}>
      <SessionHeader app={app} hub={hub} live={live} title={title} />
      {live.phase === "failed" ? (
        <div class="nothing">
          <p role="alert">{live.error}</p>
        </div>
      ) : (
        <TimelineView live={live} onAnswer={answer} />
      )}
      <TypingLine live={live} />
      {live.phase !== "failed" && (
        <Composer
          live={live}
          answering={gone ? null : answering}
          onAnswer={answer}
          onCancelAnswer={() => setAnsweringId(null)}
        />
      )}
      <Announcer live={live} />
    </main>
  );
}
