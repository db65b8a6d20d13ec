// The content of an envelope under its content key, and the content key under the key of a recipient.
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { DhkemX25519HkdfSha256 } from "@hpke/dhkem-x25519";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { type Bytes, concat, fromText, hash, isObject, joined, textOfUtf8, utf8, webCrypto } from "./bytes.js";
import { badKey } from "./errors.js";
import type { Pair } from "./header.js";
import { parseStrictly } from "./json.js";
import type { KeyPair } from "./keys.js";

const CONTENT = "hiloop/v2 content";
const MIN_BYTES = 512;
const BLANK = 0x20;

/** What follows from a content key. */
export class ContentKey {
  readonly commit: Uint8Array;
  private readonly key: Uint8Array;
  private readonly nonce: Uint8Array;

  constructor(readonly bytes: Uint8Array) {
    const derived = hkdf(sha256, bytes, undefined, utf8(CONTENT), 76);
    this.key = derived.slice(0, 32);
    this.nonce = derived.slice(32, 44);
    this.commit = derived.slice(44);
  }

  async encrypt(plain: object): Promise<Uint8Array> {
    const key = await aesKey(this.key, "encrypt");
    return new Uint8Array(await webCrypto().encrypt(gcm(this.nonce), key, padded(utf8(JSON.stringify(plain))) as Bytes));
  }

  /** The JSON object inside; throws where it does not open. */
  async decrypt(ciphertext: Uint8Array): Promise<Record<string, unknown>> {
    const key = await aesKey(this.key, "decrypt");
    const bytes = await webCrypto().decrypt(gcm(this.nonce), key, ciphertext as Bytes);
    const plain = parseStrictly(textOfUtf8(new Uint8Array(bytes)));
    if (!isObject(plain)) throw new SyntaxError("The content is no JSON object");
    return plain;
  }
}

/** JSON, padded with blanks so that its length says little. */
export function padded(json: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(paddedLength(json.length)).fill(BLANK);
  bytes.set(json);
  return bytes;
}

/** At least 512, then the lengths of Padmé. */
export function paddedLength(length: number): number {
  if (length <= MIN_BYTES) return MIN_BYTES;
  const exponent = Math.floor(Math.log2(length));
  const bits = Math.floor(Math.log2(exponent)) + 1;
  const mask = 2 ** (exponent - bits) - 1;
  return Math.ceil(length / (mask + 1)) * (mask + 1);
}

const SUITE = /* @__PURE__ */ new CipherSuite({
  kem: /* @__PURE__ */ new DhkemX25519HkdfSha256(),
  kdf: /* @__PURE__ */ new HkdfSha256(),
  aead: /* @__PURE__ */ new Aes256Gcm(),
});

/** Encapsulated key and ciphertext of HPKE. */
export async function wrap(contentKey: Uint8Array, header: Uint8Array, to: Pair & { publicKey: string }): Promise<Uint8Array> {
  const point = fromText(to.publicKey, 32);
  if (!point) throw badKey("A public key must be base64url of 32 bytes");
  const recipientPublicKey = await SUITE.kem.importKey("raw", buffer(point), true);
  const sealed = await SUITE.seal({ recipientPublicKey, info: buffer(wrapInfo(header, to)) }, buffer(contentKey));
  return concat(new Uint8Array(sealed.enc), new Uint8Array(sealed.ct));
}

/** The content key; throws where the wrapping does not open. */
export async function unwrap(wrapped: Uint8Array, header: Uint8Array, own: Pair, pair: KeyPair): Promise<Uint8Array> {
  const recipientKey = await SUITE.kem.importKey("raw", buffer(pair.receivingSecret()), false);
  const [enc, ct] = [buffer(wrapped.slice(0, 32)), buffer(wrapped.slice(32))];
  return new Uint8Array(await SUITE.open({ recipientKey, enc, info: buffer(wrapInfo(header, own)) }, ct));
}

function wrapInfo(header: Uint8Array, { id, keyId }: Pair): Uint8Array {
  return concat(joined("hiloop/v2 wrap", hash(header)), joined(id, keyId));
}

function aesKey(key: Uint8Array, use: "encrypt" | "decrypt"): Promise<CryptoKey> {
  return webCrypto().importKey("raw", key as Bytes, "AES-GCM", false, [use]);
}

function gcm(iv: Uint8Array): AesGcmParams {
  return { name: "AES-GCM", iv: iv as Bytes, additionalData: utf8(CONTENT) as Bytes };
}

function buffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
