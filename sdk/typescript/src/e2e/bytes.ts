// Bytes and their text forms.
import { sha256 } from "@noble/hashes/sha2.js";
import { fromBase64, toBase64 } from "../envelope.js";

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The text of UTF-8 bytes; throws where they are none. */
export function textOfUtf8(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

const ZERO = new Uint8Array(1);

/** Parts with a zero byte between them. A string is its UTF-8. */
export function joined(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const bytes = parts.map((part) => (typeof part === "string" ? utf8(part) : part));
  return concat(...bytes.flatMap((part, i) => (i === 0 ? [part] : [ZERO, part])));
}

export function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

export function hash(...parts: readonly Uint8Array[]): Uint8Array {
  return sha256(concat(...parts));
}

export function random(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

/** base64url without padding. */
export function toText(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The bytes of canonical base64url without padding; null for any other text, or for another length than `length`. */
export function fromText(text: unknown, length?: number): Uint8Array | null {
  if (typeof text !== "string" || !/^[\w-]*$/.test(text)) return null;
  let bytes: Uint8Array;
  try {
    bytes = fromBase64(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return null;
  }
  return toText(bytes) === text && (length === undefined || bytes.length === length) ? bytes : null;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isId(text: unknown): boolean {
  return typeof text === "string" && UUID.test(text);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Bytes as WebCrypto takes them. */
export type Bytes = Uint8Array<ArrayBuffer>;

export function webCrypto(): SubtleCrypto {
  const { subtle } = globalThis.crypto ?? {};
  if (!subtle) throw new Error("WebCrypto is missing: a page has to be opened over https or from localhost");
  return subtle;
}
