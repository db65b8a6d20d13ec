// Retries of requests, and waits that may take hours.
import { Backoff } from "../backoff.js";
import { type HiloopError, isTransient, TimeoutError } from "../errors.js";
import type { RetryPolicy } from "../http.js";
import type { Platform } from "../platform.js";
import { sleep } from "../time.js";

const FIRST_WAIT_MS = 250;
const MAX_WAIT_MS = 5_000;
const MAX_RETRY_AFTER_MS = 60_000;
/** An internal error of the hub is repeated a few times only: it may be permanent. */
const MAX_INTERNAL_ERRORS = 5;
/** The longest time that the hub holds a long-poll. */
const MAX_POLL_SECONDS = 55;

/** Repeats a request after every transient error, such as a restart of the hub. The call's timeout ends it. */
export function retryTransient({ random }: Platform): RetryPolicy {
  return (error, attempt) => {
    if (!isTransient(error) || (error.status === 500 && attempt + 1 >= MAX_INTERNAL_ERRORS)) return null;
    const full = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
    return retryAfter(error) ?? full / 2 + (random() * full) / 2;
  };
}

export interface Wait {
  timeoutMs: number | undefined;
  signal: AbortSignal | undefined;
  /** Of the error when the time is up. */
  timeoutMessage: string;
}

/**
 * Repeats a long-poll until it gives something. Neither its 55 seconds nor a hub that is away for a while end it.
 * `poll` gets the seconds that the hub may hold the request, and gives null where there is nothing yet.
 */
export async function pollUntil<T>(poll: (seconds: number) => Promise<T | null>, wait: Wait, platform: Platform): Promise<T> {
  const { now, random } = platform;
  const { timeoutMs = Infinity, signal } = wait;
  const end = now() + timeoutMs;
  const backoff = new Backoff(FIRST_WAIT_MS, MAX_WAIT_MS, random);
  let internalErrors = 0;
  for (;;) {
    const seconds = Math.min(MAX_POLL_SECONDS, Math.max(0, Math.floor((end - now()) / 1000)));
    const asked = now();
    let pauseMs: number;
    try {
      const found = await poll(seconds);
      if (found !== null) return found;
      internalErrors = 0;
      if (now() - asked >= seconds * 1000 - 500) {
        backoff.reset();
        pauseMs = seconds === 0 ? FIRST_WAIT_MS : 0;
      } else {
        // A hub that drains answers at once.
        pauseMs = backoff.next();
      }
    } catch (error) {
      if (!isTransient(error)) throw error;
      internalErrors += error.status === 500 ? 1 : 0;
      if (internalErrors >= MAX_INTERNAL_ERRORS) throw error;
      pauseMs = pauseAfter(error, backoff);
    }
    if (now() >= end) throw new TimeoutError(wait.timeoutMessage);
    if (pauseMs > 0) await sleep(Math.min(pauseMs, end - now()), signal);
  }
}

export function pauseAfter(error: HiloopError, backoff: Backoff): number {
  return retryAfter(error) ?? backoff.next();
}

/** What the hub asks for, within reason. */
function retryAfter({ retryAfterMs }: HiloopError): number | null {
  return retryAfterMs !== null && retryAfterMs >= 0 ? Math.min(MAX_RETRY_AFTER_MS, retryAfterMs) : null;
}
