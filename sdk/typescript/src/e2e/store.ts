// Where a client keeps its private keys and the keys that it has pinned.
import type { Attestation } from "./entries.js";
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
  /** What the owner of the space has attested, by the id of the key: of several statements the one that ends last. */
  attestations?: Record<string, Attestation>;
  /** That of the current key, as earlier versions stored it. */
  attestation?: Attestation | null;
}

/**
 * What is written down once. `questions`: by the id of the message that asked, its session and digest. `envelopes`: by
 * digest, the message that carries it. `answers`: by digest, when it was verified first. `interactions`: by id, its question.
 * `people`: by e-mail address, whom it names. `spaces`: by the key of the owner, the space.
 */
export type NoteKind = "questions" | "envelopes" | "answers" | "interactions" | "people" | "spaces";
export type Note = Record<string, string>;

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
  /** A note of `createNote`. Without these two, notes live as long as the process. */
  loadNote?(kind: NoteKind, name: string): Promise<Note | null>;
  /** Notes something down for the first time; returns the note that stands, which may be an earlier one. */
  createNote?(kind: NoteKind, name: string, note: Note): Promise<Note>;
  /** Runs `work` while no other process runs one. */
  exclusively?<T>(work: () => Promise<T>): Promise<T>;
}

/** Opens the storage of an agent of a hub. */
export type KeyStoreOpener = (owner: { baseUrl: string; agentId: string }) => Promise<KeyStore> | KeyStore;

/** Beyond this the least recent notes are forgotten. */
const MAX_NOTES = 10_000;

/** Keeps everything for as long as the process lives. */
export class MemoryKeyStore implements KeyStore {
  #keys: StoredKeys | null = null;
  private readonly pins = new Map<string, Pin>();
  private readonly notes = new Map<string, Note>();
  private last: Promise<unknown> = Promise.resolve();

  loadKeys(): Promise<StoredKeys | null> {
    return Promise.resolve(this.#keys);
  }

  createKeys(keys: StoredKeys): Promise<StoredKeys> {
    this.#keys ??= keys;
    return Promise.resolve(this.#keys as StoredKeys);
  }

  replaceKeys(keys: StoredKeys): Promise<void> {
    this.#keys = keys;
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

  loadNote(kind: NoteKind, name: string): Promise<Note | null> {
    return Promise.resolve(this.notes.get(`${kind} ${name}`) ?? null);
  }

  createNote(kind: NoteKind, name: string, note: Note): Promise<Note> {
    const key = `${kind} ${name}`;
    const first = this.notes.get(key) ?? note;
    this.notes.delete(key);
    this.notes.set(key, first);
    if (this.notes.size > MAX_NOTES) this.notes.delete(this.notes.keys().next().value as string);
    return Promise.resolve(first);
  }

  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.last.then(work);
    this.last = done.catch(() => undefined);
    return done;
  }
}
