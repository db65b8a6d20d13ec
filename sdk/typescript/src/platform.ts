// `fetch`, WebSocket, clock and randomness of the platform, each replaceable by an option.
import { HiloopError } from "./errors.js";
import type { SocketLike } from "./socket.js";

export type WebSocketConstructor = new (url: string, protocols: string[]) => SocketLike;

export interface PlatformOptions {
  fetch?: typeof fetch | undefined;
  /** Node.js 20 has none: pass the class of the package `ws`, else events are polled for. `null` polls on purpose. */
  WebSocket?: unknown;
  /** The local clock, in milliseconds since 1970. */
  now?: (() => number) | undefined;
  /** At least 0 and less than 1: spreads retries. */
  random?: (() => number) | undefined;
}

export interface Platform {
  fetch: typeof fetch;
  WebSocket: WebSocketConstructor | null;
  now(): number;
  random(): number;
}

export function platformOf(options: PlatformOptions): Platform {
  const { fetch: fetcher = globalThis.fetch, WebSocket = globalThis.WebSocket ?? null, now = Date.now, random = Math.random } = options;
  if (typeof fetcher !== "function") throw new HiloopError(0, "UNSUPPORTED", "This platform has no fetch: pass one as an option");
  return {
    // Browsers refuse a `fetch` that is called as a method of another object.
    fetch: (input, init) => fetcher(input, init),
    WebSocket: WebSocket as WebSocketConstructor | null,
    now,
    random,
  };
}
