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

/** The key of a backup, without its code: a browser keeps it to bring the backup up to date. */
export interface BackupKey {
  keyId: string;
  kdf: KeyBackup["kdf"];
  key: CryptoKey;
}

/** What a backup holds: the keys, and whom another browser knows already. Readers ignore the members that they don't know. */
export interface BackedUp extends StoredKeys {
  known?: unknown;
}

export async function backUp(keys: BackedUp, owner: { principalId: string; keyId: string }, code: string): Promise<KeyBackup> {
  return sealBackup(keys, owner.principalId, await newBackupKey(owner.keyId, code));
}

/** The keys of a backup; `BAD_RECOVERY_CODE` where the code is another one. */
export async function restore(backup: unknown, principalId: string, code: string): Promise<BackedUp> {
  return openBackup(backup, principalId, await backupKeyOf(backup, code));
}

export async function newBackupKey(keyId: string, code: string): Promise<BackupKey> {
  const salt = random(16);
  return { keyId, kdf: { name: "argon2id", ...LOWEST, salt: toText(salt) }, key: await keyOf(code, salt, LOWEST) };
}

export async function backupKeyOf(backup: unknown, code: string): Promise<BackupKey> {
  const { keyId, kdf } = isObject(backup) ? backup : {};
  if (typeof keyId !== "string" || !isObject(kdf) || kdf.name !== "argon2id") throw malformed();
  const { m, t, p } = kdf as { m: number; t: number; p: number };
  const salt = fromText(kdf.salt);
  if (!salt || salt.length < 16 || !isWithin({ m, t, p })) throw malformed();
  return { keyId, kdf: { name: "argon2id", m, t, p, salt: toText(salt) }, key: await keyOf(code, salt, { m, t, p }) };
}

export async function sealBackup(keys: BackedUp, principalId: string, { keyId, kdf, key }: BackupKey): Promise<KeyBackup> {
  const nonce = random(12);
  const sealed = await webCrypto().encrypt(gcm(nonce, { principalId, keyId }), key, utf8(JSON.stringify(keys)) as Bytes);
  return { keyId, kdf, blob: toText(concat(nonce, new Uint8Array(sealed))) };
}

export async function openBackup(backup: unknown, principalId: string, { keyId, key }: BackupKey): Promise<BackedUp> {
  const bytes = isObject(backup) ? fromText(backup.blob) : null;
  if (!bytes || bytes.length < 28) throw malformed();
  try {
    const plain = await webCrypto().decrypt(gcm(bytes.slice(0, 12), { principalId, keyId }), key, bytes.slice(12) as Bytes);
    return JSON.parse(textOfUtf8(new Uint8Array(plain))) as BackedUp;
  } catch {
    throw new HiloopError(0, "BAD_RECOVERY_CODE", "The recovery code does not open this backup.");
  }
}

function isWithin(given: Record<"m" | "t" | "p", number>): boolean {
  return (["m", "t", "p"] as const).every(
    (name) => Number.isInteger(given[name]) && given[name] >= LOWEST[name] && given[name] <= HIGHEST[name],
  );
}

async function keyOf(code: string, salt: Uint8Array, { m, t, p }: typeof LOWEST): Promise<CryptoKey> {
  const derived = await argon2idAsync(codeBytes(code), salt, { m, t, p, dkLen: 32, maxmem: 2 ** 31 - 1 });
  return webCrypto().importKey("raw", derived as Bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
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
