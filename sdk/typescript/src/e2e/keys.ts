// The key pairs of a principal: Ed25519 to sign, X25519 to receive.
import { ed25519, x25519 } from "@noble/curves/ed25519.js";
import { concat, equal, fromText, hash, joined, random, toText } from "./bytes.js";
import { hmac } from "@noble/hashes/hmac.js";
import { sha256, sha512 } from "@noble/hashes/sha2.js";
import { badKey } from "./errors.js";

export interface PublicKeys {
  /** base64url, as in an entry. */
  keyId: string;
  /** X25519. */
  publicKey: string;
  /** Ed25519. */
  signingKey: string;
}

/** The private keys of a principal. They appear in no log and no JSON: only `secret()` returns them. */
export class KeyPair implements PublicKeys {
  readonly keyId: string;
  readonly publicKey: string;
  readonly signingKey: string;
  readonly #seed: Uint8Array;
  readonly #kem: Uint8Array;

  private constructor(seed: Uint8Array, kem: Uint8Array) {
    this.#seed = seed;
    this.#kem = kem;
    const signing = ed25519.getPublicKey(seed);
    const receiving = x25519.getPublicKey(kem);
    this.signingKey = toText(signing);
    this.publicKey = toText(receiving);
    this.keyId = keyIdOf(signing, receiving);
  }

  static generate(): KeyPair {
    return new KeyPair(random(32), random(32));
  }

  /** From base64url of the 64 bytes: the seed of Ed25519 and the secret of X25519. */
  static from(secret: string): KeyPair {
    const bytes = fromText(secret, 64);
    if (!bytes) throw badKey("A secret key must be base64url of 64 bytes");
    return new KeyPair(bytes.slice(0, 32), bytes.slice(32));
  }

  /** What `from` takes. */
  secret(): string {
    return toText(concat(this.#seed, this.#kem));
  }

  sign(message: Uint8Array): Uint8Array {
    return ed25519.sign(message, this.#seed);
  }

  /** HMAC-SHA256 under the seed: what only the holder of these keys can derive. */
  derive(message: Uint8Array): Uint8Array {
    return hmac(sha256, this.#seed, message);
  }

  /** The secret of X25519, for HPKE. */
  receivingSecret(): Uint8Array {
    return this.#kem.slice();
  }

  toJSON(): PublicKeys {
    const { keyId, publicKey, signingKey } = this;
    return { keyId, publicKey, signingKey };
  }
}

/** The current key pair and the earlier ones, which still open what was sealed to them. */
export class KeyRing {
  constructor(
    readonly current: KeyPair,
    readonly earlier: readonly KeyPair[] = [],
  ) {}

  get all(): readonly KeyPair[] {
    return [this.current, ...this.earlier];
  }

  find(keyId: string): KeyPair | undefined {
    return this.all.find((pair) => pair.keyId === keyId);
  }

  /** The ring after a change of keys. */
  replacedBy(next: KeyPair): KeyRing {
    return new KeyRing(next, this.all);
  }
}

export function keyIdOf(signing: Uint8Array, receiving: Uint8Array): string {
  return toText(hash(joined("hiloop/v2 key", signing), receiving).slice(0, 16));
}

/** Whether a signature holds, by the strict rules of RFC 8032. */
export function verify(signature: Uint8Array, message: Uint8Array, signingKey: string): boolean {
  const key = fromText(signingKey, 32);
  if (!key || signature.length !== 64) return false;
  try {
    return ed25519.verify(signature, message, key, { zip215: false }) && isExact(signature, message, key);
  } catch {
    return false;
  }
}

/** The equation without the cofactor, as other libraries check it: S·B − k·A is encoded as R, of high order. */
function isExact(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean {
  const { Point } = ed25519;
  const { ORDER } = Point.Fn;
  const r = signature.slice(0, 32);
  const k = numberOf(sha512(concat(r, key, message))) % ORDER;
  const s = numberOf(signature.slice(32));
  const a = Point.fromBytes(key, false);
  if (k === 0n || s === 0n || Point.fromBytes(r, false).isSmallOrder()) return false;
  return equal(Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k)).toBytes(), r);
}

/** Of little-endian bytes. */
function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** Whether the points of an entry are canonical and of high order. */
export function areSound(signing: Uint8Array, receiving: Uint8Array): boolean {
  try {
    if (ed25519.Point.fromBytes(signing, false).isSmallOrder()) return false;
    // Throws for points of low order.
    x25519.getSharedSecret(PROBE, receiving);
  } catch {
    return false;
  }
  return isCanonical(receiving);
}

const PROBE = new Uint8Array(32).fill(9);

/** Below 2^255 - 19. */
function isCanonical(receiving: Uint8Array): boolean {
  const last = receiving[31] ?? 0xff;
  if (last > 0x7f) return false;
  return !(last === 0x7f && receiving.slice(1, 31).every((byte) => byte === 0xff) && (receiving[0] ?? 0) >= 0xed);
}
