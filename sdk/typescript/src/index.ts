// What agents and chat pages (`@hiloop/sdk/chat`) share.
export { asContent, type Opened, open, outcomeOf, sealPlain, textOf } from "./envelope.js";
export { HiloopError, NetworkError, SignedOutError, TimeoutError } from "./errors.js";
export type * from "./types.js";
