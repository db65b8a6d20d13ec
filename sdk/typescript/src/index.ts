// The client of an agent, and the types that it shares with chat pages (`@hiloop/sdk/chat`).
export { HiloopClient } from "./agent/client.js";
export type { MessageInput } from "./agent/content.js";
export { Decision, type DecisionStatus } from "./agent/decision.js";
export type { FeedEntry } from "./agent/feed.js";
export { type FieldType, type FormField, type FormInput, type FormSchema, InvalidAnswer } from "./agent/form.js";
export type { InteractionInput } from "./agent/interactions.js";
export type {
  AwaitOptions,
  Encryption,
  EventOptions,
  HiloopClientOptions,
  ListOptions,
  Logger,
  RequestOptions,
  WaitOptions,
  WriteOptions,
} from "./agent/options.js";
export type { PersonInput } from "./agent/people.js";
export type { AskOptions, ChoiceInput, Deadline } from "./agent/question.js";
export type { OnRemark, Remark } from "./agent/remarks.js";
export type { ClientEvent, ClientTimelinePage } from "./agent/timeline.js";
export { KeyChanged, type Reason, Unverified } from "./e2e/errors.js";
export type { MessageState, OpenedMessage } from "./e2e/messages.js";
export { type Receipt, type ReceiptOptions, type VerifiedReceipt, verifyReceipt } from "./e2e/receipts.js";
export { type KeyStore, type KeyStoreOpener, MemoryKeyStore, type Pin, type StoredKeys } from "./e2e/store.js";
export type { OfflineAnswer, OfflineOptions, OfflineQuestion } from "./offline/offline.js";
export { asContent, type Opened, open, outcomeOf, sealPlain, textOf } from "./envelope.js";
export { HiloopError, NetworkError, SignedOutError, TimeoutError } from "./errors.js";
export type * from "./types.js";
