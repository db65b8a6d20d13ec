// Whether the public key of a principal is attested by the owner of the space: checked here, whatever the hub says.
import { fromText } from "../e2e/bytes.js";
import { type Attestation, Attestations, checkedEntry } from "../e2e/entries.js";

/**
 * `no_key`: nothing published. `unsound`: the entry is not one of this principal. `missing`: not attested. `unchecked`:
 * there is an attestation, and no space key to check it by. `ended`: it was signed by the space key, and is over.
 * `wrong`: the space key did not sign it.
 */
export type AttestationState = "no_key" | "unsound" | "missing" | "unchecked" | "attested" | "ended" | "wrong";

export interface AttestationCheck {
  state: AttestationState;
  /** Of the public key, where its entry is sound. */
  keyId: string | null;
  /** The end of the attestation, where there is one. */
  notAfter: string | null;
}

/** The public half of the key of a space's owner, with the space that it is for. */
export interface SpaceKey {
  spaceId: string;
  /** Base64url of 32 bytes. */
  publicKey: string;
}

export function isSpaceKey(text: string): boolean {
  return fromText(text, 32) !== null;
}

export function checkAttestation(principalId: string, entry: unknown, spaceKey: SpaceKey | null, nowMs: number): AttestationCheck {
  if (entry === null || entry === undefined) return { state: "no_key", keyId: null, notAfter: null };
  const sound = checkedEntry(principalId, entry);
  if (!sound) return { state: "unsound", keyId: null, notAfter: null };
  const { keyId, attestation } = sound;
  const notAfter = attestation?.notAfter ?? null;
  return { state: attestation ? stateOf(principalId, keyId, attestation, spaceKey, nowMs) : "missing", keyId, notAfter };
}

function stateOf(principalId: string, keyId: string, attestation: Attestation, spaceKey: SpaceKey | null, nowMs: number): AttestationState {
  if (!spaceKey) return "unchecked";
  const owner = new Attestations(spaceKey.spaceId, spaceKey.publicKey);
  if (owner.holds(principalId, keyId, attestation, nowMs)) return "attested";
  return owner.holds(principalId, keyId, attestation, -Infinity) ? "ended" : "wrong";
}
