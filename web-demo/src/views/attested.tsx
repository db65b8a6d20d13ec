// Beside a participant, once a space key was entered: whether the owner of the space attests their key. The check loads
// when it is needed.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Participant } from "@hiloop/sdk/chat";
import type { AttestationState } from "@hiloop/sdk/manage";
import type { SpaceKeySetting } from "../client/space-key";
import { useStore } from "./hooks";

const WORDS: Record<AttestationState, string | null> = {
  no_key: null,
  unchecked: null,
  unsound: "the hub shows a key that is not theirs",
  missing: "key not attested",
  attested: "key attested",
  ended: "attestation ended",
  wrong: "wrong attestation: do not trust this key",
};

export function Attested({ setting, participant }: { setting: SpaceKeySetting; participant: Participant }): VNode | null {
  const { value } = useStore(setting);
  const [state, setState] = useState<AttestationState>("unchecked");
  const { agentId, humanId, guestId, key } = participant;
  useEffect(() => {
    let current = true;
    setState("unchecked");
    if (!value || !key) return;
    import("@hiloop/sdk/manage").then(
      ({ checkAttestation }) => current && setState(checkAttestation(agentId ?? humanId ?? guestId ?? "", key, value, Date.now()).state),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [value, key]);
  const words = WORDS[state];
  if (words === null) return null;
  return (
    <small class={state === "attested" ? "" : "not-attested"} data-testid="attested" data-state={state}>
      {words}
    </small>
  );
}
