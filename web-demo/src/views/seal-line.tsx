// Above the composer: who will be able to read what one writes, and what stands against it.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { type Audience, joinNames, type LiveSession, type Message, reachedBy } from "@hiloop/sdk/chat";
import { LockIcon } from "./icons";
import { SafetyDialog } from "./safety";
import { SealNews } from "./seal-news";

interface Props {
  live: LiveSession;
  /** What is being answered, or asked back about; null for what is said by itself. */
  replied: Message | null;
}

export function SealLine({ live, replied }: Props): VNode | null {
  const { audience } = live.seals;
  const [comparing, setComparing] = useState<string | null>(null);
  if (live.phase !== "ready" || live.encryption === "checking") return null;
  if (live.encryption === "plain") {
    return (
      <p class="seal-line" data-testid="seal-line" data-encryption="plain">
        Written in plain text: the operator of the hub can read this conversation
        {live.seals.needsConsent ? ", although it could be encrypted. Nothing is sent before you agree." : "."}
        {live.seals.needsConsent && (
          <button type="button" class="link" data-testid="allow-plain" onClick={() => void live.seals.allowPlain()}>
            Write in plain text
          </button>
        )}
      </p>
    );
  }
  if (live.encryption === "locked") {
    return (
      <p class="seal-line warning" data-testid="seal-line" data-encryption="locked">
        <LockIcon /> This conversation is encrypted, and your keys are not in this browser.
        {!globalThis.crypto?.subtle && " Browsers encrypt only on pages with https."}
      </p>
    );
  }
  if (!audience) return null;
  const [changed] = audience.changed;
  const one = changed && live.participant(changed.principalId);
  if (changed) {
    return (
      <div class="seal-line warning" role="alert" data-testid="key-changed">
        <span>
          <strong>The encryption key of {changed.name} has changed.</strong> They may have started over in another browser, or somebody
          else answers in their place. Nothing is sent here until you have confirmed the new key.
        </span>
        {one && (
          <button type="button" class="link" data-testid="compare" onClick={() => setComparing(one.id)}>
            Compare and confirm
          </button>
        )}
        {one && comparing === one.id && <SafetyDialog live={live} participant={one} onClose={() => setComparing(null)} />}
      </div>
    );
  }
  const { reached, total } = reachedBy(audience, replied);
  return (
    <>
      <SealNews live={live} />
      <p class="seal-line" data-testid="seal-line" data-encryption="sealed" data-sealed-for={`${reached}/${total}`}>
        <LockIcon /> {reached === total ? `Encrypted for all ${total} who take part` : `Encrypted for ${reached} of ${total}: ${whyNot(audience, reached)}`}
      </p>
    </>
  );
}

function whyNot({ to, missing, news }: Audience, reached: number): string {
  const joined = news.flatMap(({ kind, name }) => (kind === "joined" ? [name] : []));
  return [
    reached < to.length ? "those who were asked" : "",
    missing.length > 0 ? `no key yet from ${joinNames(missing)}` : "",
    joined.length > 0 ? `not yet for ${joinNames(joined)}` : "",
  ]
    .filter((reason) => reason !== "")
    .join("; ");
}
