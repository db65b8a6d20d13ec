// What a browser knows of others, as it goes into the backup of a person's keys: which key each has, and which
// conversations are encrypted. Another browser starts with it, and does not trust the hub anew.
import { fromText, isObject, toText } from "../e2e/bytes.js";

/** Key ids by principal, and the ids of encrypted conversations. The more recent ones first. */
export interface KnownOthers {
  keys: ReadonlyMap<string, string>;
  sessions: readonly string[];
}

/** The hub takes 8 KiB, of which the private keys need a few hundred bytes. */
const MAX_CHARS = 5_200;
const MAX_KEYS = 70;
/** 16 bytes as base64url. */
const CHARS = 22;

export function packed({ keys, sessions }: KnownOthers): { keys: string; sessions: string } {
  const pairs = [...keys].flatMap(([id, keyId]) => (isPacked(keyId) && bytesOf(id) ? [`${bytesOf(id)}${keyId}`] : [])).slice(0, MAX_KEYS);
  const left = Math.floor((MAX_CHARS - pairs.length * 2 * CHARS) / CHARS);
  return { keys: pairs.join(""), sessions: sessions.flatMap((id) => bytesOf(id) ?? []).slice(0, left).join("") };
}

/** Null where the backup holds none: an earlier version has written it. */
export function unpacked(value: unknown): KnownOthers | null {
  if (!isObject(value) || typeof value.keys !== "string" || typeof value.sessions !== "string") return null;
  const pairs = partsOf(value.keys, 2 * CHARS).map((pair) => [idOf(pair.slice(0, CHARS)), pair.slice(CHARS)] as const);
  const keys = pairs.flatMap(([id, keyId]) => (id && isPacked(keyId) ? [[id, keyId] as const] : []));
  return { keys: new Map(keys), sessions: partsOf(value.sessions, CHARS).flatMap((part) => idOf(part) ?? []) };
}

/** Two browsers keep one backup: what the other one knows stays in it. */
export function joined(mine: KnownOthers, theirs: KnownOthers | null): KnownOthers {
  if (!theirs) return mine;
  const missing = [...theirs.keys].filter(([id]) => !mine.keys.has(id));
  return { keys: new Map([...mine.keys, ...missing]), sessions: [...new Set([...mine.sessions, ...theirs.sessions])] };
}

function partsOf(text: string, length: number): string[] {
  return Array.from({ length: Math.floor(text.length / length) }, (_, i) => text.slice(i * length, (i + 1) * length));
}

function isPacked(keyId: string): boolean {
  return keyId.length === CHARS && fromText(keyId, 16) !== null;
}

function bytesOf(id: string): string | null {
  const hex = id.replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/.test(hex)) return null;
  return toText(Uint8Array.from(partsOf(hex, 2), (byte) => parseInt(byte, 16)));
}

function idOf(text: string): string | null {
  const bytes = fromText(text, 16);
  if (!bytes) return null;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
