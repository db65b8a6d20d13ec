// Sealing: one envelope for a set of recipients.
import type { Envelope } from "../types.js";
import { hash, random, toText } from "./bytes.js";
import { ContentKey, wrap } from "./cipher.js";
import { comparePairs, digestOf, type Header, headerBytes, type Kind, type Pair, signedBytes } from "./header.js";
import type { KeyPair, PublicKeys } from "./keys.js";

export const SCHEME = "hiloop/v2";

export interface SealedEnvelope extends Envelope {
  scheme: typeof SCHEME;
  header: string;
  signature: string;
  wrappings: { recipientId: string; recipientKeyId: string; wrappedKey: string }[];
}

export interface Recipient {
  principalId: string;
  keys: PublicKeys;
}

export interface Draft {
  kind: Kind;
  session: string;
  /** What is sealed: `{content?, components?}`, or `{keys}`. */
  plain: object;
  /** Besides the sender. */
  to: readonly Recipient[];
  at: string;
  parent?: string | null | undefined;
  seen?: string | null | undefined;
  /** Of a question. */
  deadlineAt?: string | null | undefined;
  answerers?: readonly string[] | null | undefined;
}

export interface Sealed {
  envelope: SealedEnvelope;
  header: Header;
  digest: string;
  contentKey: Uint8Array;
}

export async function seal(draft: Draft, sender: { principalId: string; keys: KeyPair }): Promise<Sealed> {
  const { kind, session, at, parent = null, seen = null, deadlineAt = null } = draft;
  const content = new ContentKey(random(32));
  const ciphertext = await content.encrypt(draft.plain);
  const recipients = recipientsOf([...draft.to, sender]);
  const header: Header = {
    kind,
    session,
    id: toText(random(16)),
    from: { id: sender.principalId, keyId: sender.keys.keyId },
    to: recipients.map(({ id, keyId }) => ({ id, keyId })),
    at,
    parent,
    seen,
    deadlineAt: kind === "question" ? deadlineAt : null,
    answerers: kind === "question" ? [...new Set(draft.answerers ?? [])].sort() : null,
    ct: toText(hash(ciphertext)),
    commit: toText(content.commit),
  };
  const bytes = headerBytes(header);
  const wrappings: SealedEnvelope["wrappings"] = [];
  for (const recipient of recipients) {
    const wrappedKey = toText(await wrap(content.bytes, bytes, recipient));
    wrappings.push({ recipientId: recipient.id, recipientKeyId: recipient.keyId, wrappedKey });
  }
  const envelope: SealedEnvelope = {
    scheme: SCHEME,
    header: toText(bytes),
    signature: toText(sender.keys.sign(signedBytes(bytes))),
    ciphertext: toText(ciphertext),
    wrappings,
  };
  return { envelope, header, digest: digestOf(bytes), contentKey: content.bytes };
}

function recipientsOf(all: readonly Recipient[]): (Pair & { publicKey: string })[] {
  const pairs = all.map(({ principalId, keys }) => ({ id: principalId, keyId: keys.keyId, publicKey: keys.publicKey }));
  pairs.sort(comparePairs);
  return pairs.filter((pair, i) => i === 0 || comparePairs(pairs[i - 1] as Pair, pair) !== 0);
}
