// The safety number of two principals: 60 digits that both sides compare.
import { fromText, hash, joined } from "./bytes.js";
import { badKey } from "./errors.js";
import type { PublicKeys } from "./keys.js";

export interface Known {
  principalId: string;
  keys: PublicKeys;
}

export function safetyNumber(one: Known, other: Known): string {
  return [safetyHalf(one), safetyHalf(other)].sort().join("");
}

/** The 30 digits of one principal. */
export function safetyHalf({ principalId, keys }: Known): string {
  const signing = fromText(keys.signingKey, 32);
  const receiving = fromText(keys.publicKey, 32);
  if (!signing || !receiving) throw badKey("A public key must be base64url of 32 bytes");
  const digest = hash(joined("hiloop/v2 safety", principalId, signing), receiving);
  let digits = "";
  for (let at = 0; at < 30; at += 5) {
    const group = digest.slice(at, at + 5).reduce((number, byte) => number * 256 + byte, 0);
    digits += String(group % 100_000).padStart(5, "0");
  }
  return digits;
}
