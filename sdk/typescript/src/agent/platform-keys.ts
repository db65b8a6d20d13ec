// The storage of keys on platforms without files: none (`#platform-keys` of package.json).
import type { KeyStoreOpener } from "../e2e/store.js";

export const platformKeyStore: KeyStoreOpener | null = null;
