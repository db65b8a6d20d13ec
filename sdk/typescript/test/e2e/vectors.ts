// The test vectors of the scheme.
import { readFileSync } from "node:fs";
import { KeyPair, KeyRing, MemoryKeyStore, Pins, type Entry } from "../../src/e2e/index.js";
import { concat, fromText, toText } from "../../src/e2e/bytes.js";
import { Device } from "../../src/e2e/index.js";
import type { Envelope } from "../../src/types.js";

export interface Identity {
  id: string;
  keyId: string;
  signing: string;
  kem: string;
  entry: Entry;
}

export interface Vector {
  name: string;
  sender: string;
  session?: string;
  envelope: Envelope;
  digest: string;
  question: string | null;
  plain: Record<string, unknown>;
}

export interface Vectors {
  session: string;
  identities: { ann: Identity; bot: Identity; guest: Identity };
  rotation: { principal: string; entry: Entry };
  good: Vector[];
  bad: Vector[];
  receipt: Record<string, unknown>;
  safetyNumber: { of: string[]; digits: string };
  padding: [number, number][];
}

export const vectors = JSON.parse(readFileSync(new URL("../../../../tests/vectors/e2e-v2.json", import.meta.url), "utf8")) as Vectors;

export function pairOf({ signing, kem }: Identity): KeyPair {
  return KeyPair.from(toText(concat(fromText(signing)!, fromText(kem)!)));
}

/** The device of an identity of the vectors, which has pinned the others. */
export async function deviceOf(who: keyof Vectors["identities"], now?: () => number): Promise<Device> {
  const pins = new Pins({ store: new MemoryKeyStore() });
  for (const { id, entry } of Object.values(vectors.identities)) await pins.see(id, entry);
  const identity = vectors.identities[who];
  return new Device({ principalId: identity.id, keys: new KeyRing(pairOf(identity)), pins, now });
}
