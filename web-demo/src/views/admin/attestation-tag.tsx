// Whether somebody has a public key, and whether the owner of the space attests it, in a word.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { type AttestationCheck, type AttestationState, checkAttestation } from "@hiloop/sdk/manage";
import { useStore } from "../hooks";
import { useAdmin } from "./context";

/** Checked once for each entry and space key: a signature costs milliseconds. */
export function useAttestation(principalId: string, entry: unknown): AttestationCheck {
  const { value } = useStore(useAdmin().spaceKey);
  return useMemo(() => checkAttestation(principalId, entry, value, Date.now()), [principalId, entry, value]);
}

const TAGS: Record<AttestationState, readonly [label: string, look: string]> = {
  no_key: ["No key", ""],
  unsound: ["Unsound key", "danger"],
  missing: ["Key", ""],
  unchecked: ["Key", ""],
  attested: ["Attested key", "good"],
  ended: ["Attestation ended", "warning"],
  wrong: ["Wrong attestation", "danger"],
};

export function KeyTag({ principalId, entry }: { principalId: string; entry: unknown }): VNode {
  const { state } = useAttestation(principalId, entry);
  const { value } = useAdmin().spaceKey;
  const [label, look] = state === "missing" && value ? ["Not attested", "warning"] : TAGS[state];
  return (
    <span class={`tag ${look}`} data-testid="key-tag" data-state={state}>
      {label}
    </span>
  );
}
