// The signed header of an envelope: its canonical bytes, its digest.
import { equal, fromText, hash, isId, isObject, joined, textOfUtf8, toText, utf8 } from "./bytes.js";

export type Kind = "message" | "question" | "answer" | "title" | "block";

export interface Pair {
  id: string;
  keyId: string;
}

export interface Header {
  kind: Kind;
  session: string;
  /** 16 random bytes. */
  id: string;
  from: Pair;
  /** The recipients, the sender among them, sorted. */
  to: readonly Pair[];
  /** The sender's time. */
  at: string;
  /** The digest of the question or message that it refers to. */
  parent: string | null;
  /** The digest of the newest envelope of the session that the sender had accepted. */
  seen: string | null;
  deadlineAt: string | null;
  answerers: readonly string[] | null;
  /** SHA-256 of the ciphertext. */
  ct: string;
  commit: string;
}

const KINDS: ReadonlySet<unknown> = new Set<Kind>(["message", "question", "answer", "title", "block"]);
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

export function headerBytes(header: Header): Uint8Array {
  const { kind, session, id, from, to, at, parent, seen, deadlineAt, answerers, ct, commit } = header;
  const pair = ({ id: principal, keyId }: Pair): Pair => ({ id: principal, keyId });
  const members = { v: 2, kind, session, id, from: pair(from), to: to.map(pair), at, parent, seen, deadlineAt, answerers, ct, commit };
  return utf8(JSON.stringify(members));
}

/** The header of these bytes; null where they are not canonical. */
export function parseHeader(bytes: Uint8Array): Header | null {
  let value: unknown;
  try {
    value = JSON.parse(textOfUtf8(bytes));
  } catch {
    return null;
  }
  if (!isHeader(value)) return null;
  return equal(headerBytes(value), bytes) ? value : null;
}

export function digestOf(header: Uint8Array): string {
  return toText(hash(joined("hiloop/v2 digest", header)));
}

export function signedBytes(header: Uint8Array): Uint8Array {
  return joined("hiloop/v2 sign", header);
}

export function comparePairs(one: Pair, other: Pair): number {
  return one.id === other.id ? order(one.keyId, other.keyId) : order(one.id, other.id);
}

function order(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

function isHeader(value: unknown): value is Header {
  if (!isObject(value) || value.v !== 2 || !KINDS.has(value.kind)) return false;
  const { session, id, from, to, at, parent, seen, deadlineAt, answerers, ct, commit, kind } = value;
  if (!isId(session) || !fromText(id, 16) || !isPair(from) || !isTime(at)) return false;
  if (!Array.isArray(to) || !to.every(isPair) || !isSorted(to)) return false;
  if (!isDigest(ct) || !isDigest(commit) || !isNullOr(isDigest, parent) || !isNullOr(isDigest, seen)) return false;
  if (kind === "answer" && parent === null) return false;
  if (kind !== "question") return deadlineAt === null && answerers === null;
  return isNullOr(isTime, deadlineAt) && Array.isArray(answerers) && answerers.every(isId) && isSortedTexts(answerers);
}

function isPair(value: unknown): value is Pair {
  return isObject(value) && isId(value.id) && fromText(value.keyId, 16) !== null;
}

function isDigest(value: unknown): boolean {
  return fromText(value, 32) !== null;
}

function isTime(value: unknown): boolean {
  if (typeof value !== "string" || !TIME.test(value)) return false;
  const time = new Date(value);
  // A date that there is: others are moved to the next one.
  return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}

function isNullOr(check: (value: unknown) => boolean, value: unknown): boolean {
  return value === null || check(value);
}

function isSorted(pairs: readonly Pair[]): boolean {
  return pairs.length > 0 && pairs.every((pair, i) => i === 0 || comparePairs(pairs[i - 1] as Pair, pair) < 0);
}

function isSortedTexts(texts: readonly string[]): boolean {
  return texts.every((text, i) => i === 0 || (texts[i - 1] as string) < text);
}
