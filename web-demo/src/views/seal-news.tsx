// Who can read along since the person looked last: those who joined, and those with a new key.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { LiveSession, News, Participant } from "@hiloop/sdk/chat";
import { SafetyDialog } from "./safety";

/** Above the composer, until the person has seen it. */
export function SealNews({ live }: { live: LiveSession }): VNode | null {
  const news = live.seals.audience?.news ?? [];
  if (live.encryption !== "sealed" || news.length === 0) return null;
  return (
    <div class="seal-line warning" role="status" data-testid="seal-news">
      {news.map((one) => (
        <span key={one.principalId} data-testid="seal-news-of" data-kind={one.kind}>
          {sentence(one)} <Compare live={live} participant={live.participant(one.principalId)} />
        </span>
      ))}
      <button type="button" class="link" data-testid="acknowledge" onClick={() => void live.seals.acknowledge(news)}>
        All right
      </button>
    </div>
  );
}

function sentence({ kind, name }: News): string {
  return kind === "joined"
    ? `${name} takes part as well. What you write is not encrypted for them before you agree.`
    : `${name} has a new key, signed with the one before.`;
}

/** On the line of the timeline that says who was added: the hub alone decides that. */
export function JoinedWarning({ live, added }: { live: LiveSession; added: unknown }): VNode | null {
  const { id } = (added ?? {}) as Partial<Participant>;
  const participant = id === undefined ? undefined : live.participant(id);
  if (live.encryption !== "sealed" || !participant || live.isOwn(participant.humanId ?? participant.guestId)) return null;
  return (
    <span class="joined-warning" data-testid="joined-warning">
      New key: compare the safety number. <Compare live={live} participant={participant} />
    </span>
  );
}

function Compare({ live, participant }: { live: LiveSession; participant: Participant | undefined }): VNode | null {
  const [comparing, setComparing] = useState(false);
  if (!participant) return null;
  return (
    <>
      <button type="button" class="link" data-testid="compare-new" onClick={() => setComparing(true)}>
        Compare
      </button>
      {comparing && <SafetyDialog live={live} participant={participant} onClose={() => setComparing(false)} />}
    </>
  );
}
