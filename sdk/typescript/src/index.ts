// The client of an agent, and the types that it shares with chat pages (`@hiloop/sdk/chat`).
export {
  type AskOptions,
  type AwaitOptions,
  type EventOptions,
  HiloopClient,
  type ListOptions,
} from "./agent/client.js";
export type { Answer, MessageInput } from "./agent/content.js";
export type { FeedEntry } from "./agent/feed.js";
export type { HiloopClientOptions, RequestOptions, WaitOptions, WriteOptions } from "./agent/options.js";
export { asContent, type Opened, open, outcomeOf, sealPlain, textOf } from "./envelope.js";
export { HiloopError, NetworkError, SignedOutError, TimeoutError } from "./errors.js";
export type * from "./types.js";
