// Pins where the private keys are given and there may be no folder to write to, as in a container.
import { type KeyStore, MemoryKeyStore } from "../e2e/store.js";
import type { Logger } from "./options.js";

type PinStore = KeyStore;

const UNWRITABLE: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "EROFS", "ENOENT", "ENOTDIR"]);

/** Keeps pins in memory from the first write on that fails for want of a folder. */
export function pinsWithFallback(store: PinStore, logger: Logger): PinStore {
  const memory = new MemoryKeyStore();
  let isInMemory = false;
  const write = async <T>(writing: () => Promise<T>, instead: () => Promise<T>): Promise<T> => {
    if (isInMemory) return instead();
    try {
      return await writing();
    } catch (error) {
      if (!UNWRITABLE.has((error as { code?: unknown }).code)) throw error;
      isInMemory = true;
      logger.warn("hiloop: the folder for pinned keys is not writable: they are kept for as long as this process lives");
      return instead();
    }
  };
  return {
    loadKeys: () => store.loadKeys(),
    createKeys: (keys) => store.createKeys(keys),
    replaceKeys: (keys) => store.replaceKeys(keys),
    loadNote: async (kind, name) => (await memory.loadNote(kind, name)) ?? (await store.loadNote?.(kind, name)) ?? null,
    createNote: async (kind, name, note) => {
      const known = (await memory.loadNote(kind, name)) ?? (await store.loadNote?.(kind, name));
      if (known) return known;
      return write(
        () => store.createNote?.(kind, name, note) ?? memory.createNote(kind, name, note),
        () => memory.createNote(kind, name, note),
      );
    },
    loadPin: async (principalId) => (await memory.loadPin(principalId)) ?? (await store.loadPin(principalId)),
    createPin: (pin) =>
      write(
        () => store.createPin(pin),
        () => memory.createPin(pin),
      ),
    replacePin: (pin) =>
      write(
        () => store.replacePin(pin),
        () => memory.replacePin(pin),
      ),
  };
}
