// Where a client keeps its private keys and the keys that it has pinned.
import type { PublicKeys } from "./keys.js";

/** Private keys as they are stored. */
export interface StoredKeys {
  /** base64url of the seed of Ed25519 and the secret of X25519. */
  secretKey: string;
  createdAt: string;
  earlier: { secretKey: string; replacedAt: string }[];
}

/** The pinned key of a principal. */
export interface Pin extends PublicKeys {
  principalId: string;
  pinnedAt: string;
  /** Keys that were pinned before: they verify what they signed. */
  earlier: PublicKeys[];
}

/** The storage of one agent (or person) of one hub. Several processes may share it. */
export interface KeyStore {
  loadKeys(): Promise<StoredKeys | null>;
  /** Stores the first keys. If another process was first, returns the keys of that one. */
  createKeys(keys: StoredKeys): Promise<StoredKeys>;
  replaceKeys(keys: StoredKeys): Promise<void>;
  loadPin(principalId: string): Promise<Pin | null>;
  /** Pins a principal for the first time. If another process was first, returns the pin of that one. */
  createPin(pin: Pin): Promise<Pin>;
  replacePin(pin: Pin): Promise<void>;
}

/** Opens the storage of an agent of a hub. */
export type KeyStoreOpener = (owner: { baseUrl: string; agentId: string }) => Promise<KeyStore> | KeyStore;

/** Keeps everything for as long as the process lives. */
export class MemoryKeyStore implements KeyStore {
  private keys: StoredKeys | null = null;
  private readonly pins = new Map<string, Pin>();

  loadKeys(): Promise<StoredKeys | null> {
    return Promise.resolve(this.keys);
  }

  createKeys(keys: StoredKeys): Promise<StoredKeys> {
    this.keys ??= keys;
    return Promise.resolve(this.keys);
  }

  replaceKeys(keys: StoredKeys): Promise<void> {
    this.keys = keys;
    return Promise.resolve();
  }

  loadPin(principalId: string): Promise<Pin | null> {
    return Promise.resolve(this.pins.get(principalId) ?? null);
  }

  createPin(pin: Pin): Promise<Pin> {
    const first = this.pins.get(pin.principalId) ?? pin;
    this.pins.set(pin.principalId, first);
    return Promise.resolve(first);
  }

  replacePin(pin: Pin): Promise<void> {
    this.pins.set(pin.principalId, pin);
    return Promise.resolve();
  }
}
