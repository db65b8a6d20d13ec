// Building blocks of a chat page for people and guests: calls, the live connection, stores that views listen to.
export { Backoff } from "../backoff.js";
export { Emitter, type Listener } from "../emitter.js";
export * from "../envelope.js";
export { errorFrom, HiloopError, isTransient, messageOf, NetworkError, SignedOutError, TimeoutError } from "../errors.js";
export { newKey } from "../http.js";
export {
  type ConnectionState,
  type FeedSink,
  HubSocket,
  type SessionSink,
  type SocketLike,
  type SocketOptions,
} from "../socket.js";
export type * from "../types.js";
export { Admission, FOREIGN_EVENT } from "./admission.js";
export { Feed, type Stretch } from "./feed.js";
export { answerFromCard, type CardAnswer } from "./card-answer.js";
export { Dispatch, type DispatchOptions, type OpenConversation } from "./dispatch.js";
export { FeedRequests } from "./feed-requests.js";
export { firstIndex } from "./first-index.js";
export { LiveSession } from "./live-session.js";
export { authorName, authorOf, type Claimed, claimedAuthor, claimedResponder } from "./author.js";
export { type Decided, decidedBy } from "../decided.js";
export {
  type Author,
  componentsOf,
  contentOf,
  expectNotes,
  isSealedByScheme,
  isTitleOpened,
  isUnchecked,
  isUnproven,
  noteChecked,
  noteSealedSession,
  openedOf,
  type ReadMessage,
  type SettledBy,
  setOpened,
  setTitle,
  titleTextOf,
} from "./opened.js";
export type { MessageState, OpenedMessage } from "../e2e/messages.js";
export { Outbox, type OutboxOptions } from "./outbox.js";
export { MemoryOutboxStore, type OutboxStore } from "./outbox-store.js";
export { type AnswerState, mayBeAtHub, type Outgoing, type OutgoingState, type Problem, type Written } from "./outgoing.js";
export { type Reach, reachedBy, readersOf } from "./reach.js";
export { Rest, type TokenSource } from "./rest.js";
export type { Audience, ChangedKey, News, Reply, Safety, SealedMessage, Sealing, SessionMemory, SessionNote } from "./sealing.js";
export { type Encryption, SessionSeals } from "./session-seals.js";
export { type Applied, type Entry, Timeline } from "./timeline.js";
export { joinNames, preview, sessionTitle } from "./titles.js";
export { TypingList, TypingNotice } from "./typing.js";
