// Opening: what a receiver checks before it accepts an envelope, in this order.
import type { Envelope } from "../types.js";
import { equal, fromText, hash, isObject, toText } from "./bytes.js";
import { ContentKey, unwrap } from "./cipher.js";
import { type Reason, Refused } from "./errors.js";
import { digestOf, type Header, parseHeader, type Pair, signedBytes } from "./header.js";
import { type KeyRing, type PublicKeys, verify } from "./keys.js";
import { SCHEME } from "./seal.js";

export interface OpenedEnvelope {
  header: Header;
  digest: string;
  plain: Record<string, unknown>;
  contentKey: Uint8Array;
}

/** What a receiver knows. */
export interface Receiver {
  principalId: string;
  keys: KeyRing;
  /** The pinned key of a pair; null where it is not pinned. */
  pinned(pair: Pair): Promise<PublicKeys | null>;
  /** The content keys that other participants passed on, by digest. */
  contentKeys?(digest: string): readonly Uint8Array[];
}

/** What the hub says about an envelope. */
export interface Claims {
  session: string;
  /** The id of the sender. */
  sender: string;
}

/** Whether an envelope says of itself that it is one of this scheme. */
export function isSealed(envelope: unknown): boolean {
  return isObject(envelope) && envelope.scheme === SCHEME;
}

/** The opened envelope; throws `Refused`. Whether it was accepted before is for the caller to check. */
export async function openEnvelope(
  envelope: Envelope | null | undefined,
  claims: Claims,
  receiver: Receiver,
): Promise<OpenedEnvelope> {
  const { bytes, header, signature, ciphertext } = parts(envelope);
  if (header.from.id !== claims.sender) throw new Refused("sender");
  const keys = await receiver.pinned(header.from);
  if (!keys) throw new Refused("not_pinned");
  checkSigned(bytes, header, signature, ciphertext, keys);
  const digest = digestOf(bytes);
  const given = rightOf(receiver.contentKeys?.(digest) ?? [], header);
  const contentKey = await ownContentKey(envelope as Envelope, bytes, header, receiver, given);
  const plain = await contentOf(header, ciphertext, contentKey);
  if (header.session !== claims.session) throw new Refused("session");
  return { header, digest, plain, contentKey };
}

/** Opens an envelope with its content key alone, as a receipt carries it; checks all but the recipient. */
export async function openWithKey(
  envelope: Envelope,
  contentKey: Uint8Array,
  keysOf: (pair: Pair) => PublicKeys | null,
): Promise<OpenedEnvelope> {
  const { bytes, header, signature, ciphertext } = parts(envelope);
  const keys = keysOf(header.from);
  if (!keys) throw new Refused("not_pinned");
  checkSigned(bytes, header, signature, ciphertext, keys);
  const plain = await contentOf(header, ciphertext, contentKey);
  return { header, digest: digestOf(bytes), plain, contentKey };
}

/** The header of an envelope that nothing is checked of but its form; null where it has none. */
export function unverifiedHeader(envelope: unknown): Header | null {
  if (!isObject(envelope) || envelope.scheme !== SCHEME) return null;
  const bytes = fromText(envelope.header);
  return bytes && parseHeader(bytes);
}

interface Parts {
  bytes: Uint8Array;
  header: Header;
  signature: Uint8Array;
  ciphertext: Uint8Array;
}

function parts(envelope: unknown): Parts {
  if (!isObject(envelope) || envelope.scheme !== SCHEME) throw new Refused("scheme");
  const bytes = need(fromText(envelope.header), "header");
  const header = need(parseHeader(bytes), "header");
  const signature = need(fromText(envelope.signature, 64), "signature");
  const ciphertext = need(fromText(envelope.ciphertext), "ciphertext");
  return { bytes, header, signature, ciphertext };
}

function checkSigned(bytes: Uint8Array, header: Header, signature: Uint8Array, ciphertext: Uint8Array, keys: PublicKeys): void {
  if (!verify(signature, signedBytes(bytes), keys.signingKey)) throw new Refused("signature");
  if (toText(hash(ciphertext)) !== header.ct) throw new Refused("ciphertext");
}

async function ownContentKey(
  envelope: Envelope,
  bytes: Uint8Array,
  header: Header,
  receiver: Receiver,
  given: Uint8Array | undefined,
): Promise<Uint8Array> {
  const own = header.to.filter(({ id }) => id === receiver.principalId);
  const pair = receiver.keys.all.find(({ keyId }) => own.some((one) => one.keyId === keyId));
  if (!pair) {
    if (given) return given;
    throw new Refused("not_sealed_for_us");
  }
  const me: Pair = { id: receiver.principalId, keyId: pair.keyId };
  const wrappings = (Array.isArray(envelope.wrappings) ? envelope.wrappings : []) as unknown[];
  const mine = wrappings.filter((one) => isObject(one) && one.recipientId === me.id && one.recipientKeyId === me.keyId) as Record<
    string,
    unknown
  >[];
  if (mine.length !== 1) throw new Refused("not_sealed_for_us");
  const wrapped = need(fromText(mine[0]?.wrappedKey, 80), "wrapping");
  try {
    return await unwrap(wrapped, bytes, me, pair);
  } catch {
    throw new Refused("wrapping");
  }
}

async function contentOf(header: Header, ciphertext: Uint8Array, bytes: Uint8Array): Promise<Record<string, unknown>> {
  if (bytes.length !== 32) throw new Refused("commitment");
  const key = new ContentKey(bytes);
  if (!equal(key.commit, fromText(header.commit) as Uint8Array)) throw new Refused("commitment");
  try {
    return await key.decrypt(ciphertext);
  } catch {
    throw new Refused("content");
  }
}

/** The content key that the header commits to; else one that it does not. */
function rightOf(given: readonly Uint8Array[], header: Header): Uint8Array | undefined {
  const commit = fromText(header.commit) as Uint8Array;
  return given.find((key) => equal(new ContentKey(key).commit, commit)) ?? given[0];
}

function need<T>(value: T | null, reason: Reason): T {
  if (value === null) throw new Refused(reason);
  return value;
}
