// The backup of a person's keys, encrypted under a recovery code that only the person has.
import { argon2idAsync } from "@noble/hashes/argon2.js";
import { HiloopError } from "../errors.js";
import { type Bytes, concat, fromText, hash, isObject, joined, random, textOfUtf8, toText, utf8, webCrypto } from "./bytes.js";
import type { StoredKeys } from "./store.js";

export interface KeyBackup {
  keyId: string;
  kdf: { name: "argon2id"; m: number; t: number; p: number; salt: string };
  blob: string;
}

const LOWEST = { m: 65_536, t: 3, p: 4 };
/** A hub could name parameters that no browser has the memory for. */
const HIGHEST = { m: 1_048_576, t: 16, p: 16 };

export async function backUp(keys: StoredKeys, owner: { principalId: string; keyId: string }, code: string): Promise<KeyBackup> {
  const salt = random(16);
  const nonce = random(12);
  const key = await keyOf(code, salt, LOWEST, "encrypt");
  const sealed = await webCrypto().encrypt(gcm(nonce, owner), key, utf8(JSON.stringify(keys)) as Bytes);
  return {
    keyId: owner.keyId,
    kdf: { name: "argon2id", ...LOWEST, salt: toText(salt) },
    blob: toText(concat(nonce, new Uint8Array(sealed))),
  };
}

/** The keys of a backup; `BAD_RECOVERY_CODE` where the code is another one. */
export async function restore(backup: unknown, principalId: string, code: string): Promise<StoredKeys> {
  const { keyId, kdf, blob } = isObject(backup) ? backup : {};
  const bytes = fromText(blob);
  if (typeof keyId !== "string" || !isObject(kdf) || kdf.name !== "argon2id" || !bytes || bytes.length < 28) throw malformed();
  const { m, t, p } = kdf as { m: number; t: number; p: number };
  const salt = fromText(kdf.salt);
  if (!salt || salt.length < 16 || !isWithin({ m, t, p })) throw malformed();
  const key = await keyOf(code, salt, { m, t, p }, "decrypt");
  try {
    const plain = await webCrypto().decrypt(gcm(bytes.slice(0, 12), { principalId, keyId }), key, bytes.slice(12) as Bytes);
    return JSON.parse(textOfUtf8(new Uint8Array(plain))) as StoredKeys;
  } catch {
    throw new HiloopError(0, "BAD_RECOVERY_CODE", "The recovery code does not open this backup.");
  }
}

function isWithin(given: Record<"m" | "t" | "p", number>): boolean {
  return (["m", "t", "p"] as const).every(
    (name) => Number.isInteger(given[name]) && given[name] >= LOWEST[name] && given[name] <= HIGHEST[name],
  );
}

async function keyOf(code: string, salt: Uint8Array, { m, t, p }: typeof LOWEST, use: "encrypt" | "decrypt"): Promise<CryptoKey> {
  const derived = await argon2idAsync(codeBytes(code), salt, { m, t, p, dkLen: 32, maxmem: 2 ** 31 - 1 });
  return webCrypto().importKey("raw", derived as Bytes, "AES-GCM", false, [use]);
}

function gcm(iv: Uint8Array, { principalId, keyId }: { principalId: string; keyId: string }): AesGcmParams {
  return { name: "AES-GCM", iv: iv as Bytes, additionalData: joined("hiloop/v2 backup", principalId, keyId) as Bytes };
}

/** Without letters that look like digits. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const CHECK_BITS = 12;

/** A new recovery code: 128 random bits and 12 bits that reveal a mistyped one, as seven groups of four. */
export function newRecoveryCode(): string {
  return codeOf(random(16));
}

function codeOf(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  number = (number << BigInt(CHECK_BITS)) | BigInt(checkOf(bytes));
  let text = "";
  for (let i = 0; i < 28; i += 1) {
    text = DIGITS[Number(number & 31n)] + text;
    number >>= 5n;
  }
  return text.replace(/.{4}(?=.)/g, "$&-");
}

/** The 16 bytes of a code as a person types it. */
function codeBytes(code: string): Uint8Array {
  const text = code.toUpperCase().replace(/[\s-]/g, "").replaceAll("O", "0").replace(/[IL]/g, "1");
  if (text.length !== 28 || [...text].some((digit) => !DIGITS.includes(digit))) throw mistyped();
  let number = [...text].reduce((sum, digit) => sum * 32n + BigInt(DIGITS.indexOf(digit)), 0n);
  const check = Number(number & ((1n << BigInt(CHECK_BITS)) - 1n));
  number >>= BigInt(CHECK_BITS);
  const bytes = new Uint8Array(16);
  for (let i = 15; i >= 0; i -= 1) {
    bytes[i] = Number(number & 255n);
    number >>= 8n;
  }
  if (checkOf(bytes) !== check) throw mistyped();
  return bytes;
}

function checkOf(bytes: Uint8Array): number {
  const digest = hash(joined("hiloop/v2 recovery", bytes));
  return ((digest[0] as number) << 4) | ((digest[1] as number) >> 4);
}

function mistyped(): HiloopError {
  return new HiloopError(0, "BAD_RECOVERY_CODE", "This is no recovery code: check it for typing errors.");
}

function malformed(): HiloopError {
  return new HiloopError(0, "BAD_BACKUP", "The backup is malformed, or its parameters are not acceptable.");
}
