// The encryption of a chat page: keys of a person in the browser, and conversations that are sealed with them. Apart
// from `@hiloop/sdk/chat`, so that a page loads it when it has to.
export { newRecoveryCode } from "../e2e/backup.js";
export { uuid7 } from "../agent/question-key.js";
export { type KeySituation, OwnKeys, type OwnKeysOptions } from "./own-keys.js";
export { MemoryRecords, type RecordKind, type Records } from "./records.js";
export { SessionNotes } from "./session-notes.js";
export { IndexedDbKeyStore } from "./indexed-db-key-store.js";
export { SealedChat, type SealedChatOptions } from "./sealed-chat.js";
