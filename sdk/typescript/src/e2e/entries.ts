// Entries of the directory of public keys: making and checking them.
import { concat, fromText, isObject, joined, toText } from "./bytes.js";
import { badKey } from "./errors.js";
import { areSound, keyIdOf, type KeyPair, type PublicKeys, verify } from "./keys.js";

/** A statement of the owner of the space about a key, good until `notAfter`. */
export interface Attestation {
  notAfter: string;
  signature: string;
}

/** The public keys of a principal as the hub's directory returns them. */
export interface Entry extends PublicKeys {
  /** Binds the keys to the id of their principal. */
  proof: string;
  /** The same, signed by the key that this one replaced. */
  previous?: { keyId: string; signature: string } | null;
  /** A statement of the owner of the space, whose key the hub does not know. */
  attestation?: Attestation | null;
}

/** The entry of a key pair. `previous`: the pair that it replaces. */
export function makeEntry(principalId: string, pair: KeyPair, previous?: KeyPair): Entry {
  const { keyId, publicKey, signingKey } = pair;
  const signed = entryBytes(principalId, pair);
  const proof = toText(pair.sign(signed));
  const entry: Entry = { publicKey, signingKey, keyId, proof };
  return previous ? { ...entry, previous: { keyId: previous.keyId, signature: toText(previous.sign(signed)) } } : entry;
}

/** The entry, if it is a sound one of this principal. */
export function checkedEntry(principalId: string, value: unknown): Entry | null {
  if (!isObject(value)) return null;
  const { publicKey, signingKey, keyId, proof, previous, attestation } = value;
  const receiving = fromText(publicKey, 32);
  const signing = fromText(signingKey, 32);
  const signature = fromText(proof, 64);
  if (!receiving || !signing || !signature || keyIdOf(signing, receiving) !== keyId || !areSound(signing, receiving)) return null;
  const keys: PublicKeys = { publicKey: toText(receiving), signingKey: toText(signing), keyId };
  if (!verify(signature, entryBytes(principalId, keys), keys.signingKey)) return null;
  const entry: Entry = { ...keys, proof: toText(signature) };
  if (isObject(previous) && typeof previous.keyId === "string" && typeof previous.signature === "string") {
    entry.previous = { keyId: previous.keyId, signature: previous.signature };
  }
  if (isObject(attestation) && typeof attestation.notAfter === "string" && typeof attestation.signature === "string") {
    entry.attestation = { notAfter: attestation.notAfter, signature: attestation.signature };
  }
  return entry;
}

/** Whether the holder of `before` signed the entry as the one that replaces it. */
export function follows(principalId: string, entry: Entry, before: PublicKeys): boolean {
  const signature = fromText(entry.previous?.signature, 64);
  if (!signature || entry.previous?.keyId !== before.keyId) return false;
  return verify(signature, entryBytes(principalId, entry), before.signingKey);
}

/** Checks attestations of one space by the public key of its owner (`HILOOP_SPACE_KEY`). */
export class Attestations {
  constructor(
    private readonly spaceId: string,
    private readonly spaceKey: string,
  ) {
    if (!fromText(spaceKey, 32)) throw badKey("The space key must be base64url of 32 bytes");
  }

  holds(principalId: string, keyId: string, attestation: Attestation | null | undefined, nowMs: number): boolean {
    const signature = fromText(attestation?.signature, 64);
    if (!attestation || !signature || !(Date.parse(attestation.notAfter) > nowMs)) return false;
    return verify(signature, attestedBytes(this.spaceId, principalId, keyId, attestation.notAfter), this.spaceKey);
  }
}

export function attestedBytes(spaceId: string, principalId: string, keyId: string, notAfter: string): Uint8Array {
  return joined("hiloop/v2 attest", spaceId, principalId, keyId, notAfter);
}

function entryBytes(principalId: string, { publicKey, signingKey }: PublicKeys): Uint8Array {
  const signing = fromText(signingKey, 32);
  const receiving = fromText(publicKey, 32);
  if (!signing || !receiving) throw badKey("A public key must be base64url of 32 bytes");
  return concat(joined("hiloop/v2 entry", principalId, signing), receiving);
}
