// Values under an AES key that no script can export: the database alone, copied from a disk, holds none of them in clear.

export interface Locked {
  iv: Uint8Array<ArrayBuffer> | null;
  data: ArrayBuffer | string;
}

export class LockedBox {
  /** `key`: null on a page without https, where the browser does no cryptography. */
  constructor(private readonly key: CryptoKey | null) {}

  static newKey(): Promise<CryptoKey> | null {
    return globalThis.crypto?.subtle?.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]) ?? null;
  }

  async lock(value: unknown): Promise<Locked> {
    const json = JSON.stringify(value);
    if (!this.key) return { iv: null, data: json };
    const iv = crypto.getRandomValues(new Uint8Array(12));
    return { iv, data: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.key, new TextEncoder().encode(json)) };
  }

  /** The bytes that AES-GCM adds to a text under an IV; each IV is for one text. Null without a key. */
  keyStream(iv: Uint8Array<ArrayBuffer>, length: number): Promise<Uint8Array> | null {
    if (!this.key) return null;
    // The tag comes after them.
    return crypto.subtle.encrypt({ name: "AES-GCM", iv }, this.key, new Uint8Array(length)).then((bytes) => new Uint8Array(bytes, 0, length));
  }

  get isLocked(): boolean {
    return this.key !== null;
  }

  /** Undefined for what another key has locked. */
  async open<T>({ iv, data }: Locked): Promise<T | undefined> {
    try {
      if (typeof data === "string") return JSON.parse(data) as T;
      if (!this.key || !iv) return undefined;
      const bytes = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, this.key, data);
      return JSON.parse(new TextDecoder().decode(bytes)) as T;
    } catch {
      return undefined;
    }
  }
}
