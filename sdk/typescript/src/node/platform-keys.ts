// The storage of keys on platforms with files (`#platform-keys` of package.json).
import type { KeyStoreOpener } from "../e2e/store.js";
import { fileKeyStore } from "./file-key-store.js";

export const platformKeyStore: KeyStoreOpener | null = (owner) => fileKeyStore()(owner);
