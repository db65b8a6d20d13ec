// End-to-end encryption by the scheme `hiloop/v2`, without a client: keys, entries, pins, envelopes, receipts, backups.
export { isApproval } from "../decided.js";
export { checkAnswer, checkAnswerKey, offeredActions, type QuestionFacts } from "./answer.js";
export { backUp, type KeyBackup, newRecoveryCode, restore } from "./backup.js";
export { paddedLength } from "./cipher.js";
export { type Delivery, Device, type DeviceOptions } from "./device.js";
export { Directory, type DirectorySource, type Member, principalOf } from "./directory.js";
export { attestedBytes, type Attestation, Attestations, checkedEntry, type Entry, follows, makeEntry } from "./entries.js";
export { KeyChanged, type Reason, Refused, textOfReason, Unverified } from "./errors.js";
export { digestOf, type Header, headerBytes, type Kind, type Pair, parseHeader } from "./header.js";
export { KeyPair, KeyRing, type PublicKeys } from "./keys.js";
export { MessageReader, type MessageState, NOT_ON_TIMELINE, type OpenedMessage, sealedFor, senderOf } from "./messages.js";
export { type Claims, isSealed, openEnvelope, type OpenedEnvelope, openWithKey, type Receiver, unverifiedHeader } from "./open.js";
export { Pins, type PinsOptions, type Seen } from "./pins.js";
export { makeReceipt, type Receipt, type ReceiptOptions, type VerifiedReceipt, verifyReceipt } from "./receipts.js";
export { type Known, safetyHalf, safetyNumber } from "./safety.js";
export { type Draft, type Recipient, SCHEME, seal, type Sealed, type SealedEnvelope } from "./seal.js";
export { recipientsOf, Sealer } from "./sealer.js";
export { type KeyStore, type KeyStoreOpener, MemoryKeyStore, type Pin, type StoredKeys } from "./store.js";
