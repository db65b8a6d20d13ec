// One call over HTTP: credential, timeout, retries under one idempotency key, errors of the contract.
import { errorFrom, HiloopError, NetworkError, TimeoutError } from "./errors.js";
import { sleep } from "./time.js";
import type { Page } from "./types.js";

export type Query = Record<string, string | number | undefined>;

/** The credential of requests, which may be renewed once in each call. */
export interface Credential {
  /** Asked before each attempt. */
  headers(): Promise<Record<string, string>>;
  /** Called after a 401 with the refused headers; the request is repeated when it resolves. */
  renew?(refused: Record<string, string>): Promise<unknown>;
}

/** How long to wait before the next attempt, in milliseconds; null to give up. `attempt` counts from 0. */
export type RetryPolicy = (error: HiloopError, attempt: number) => number | null;

export interface HttpOptions {
  /** Without a slash at its end; empty for a page that the hub itself serves. */
  baseUrl: string;
  fetch: typeof fetch;
  credential: Credential;
  retry: RetryPolicy;
  /** How long a call may take, all attempts together; without a limit unless given. */
  timeoutMs?: number;
  now?: () => number;
  /** Ends every call, those under way too: they fail as if the hub were out of reach. */
  signal?: AbortSignal | undefined;
}

export interface CallOptions {
  query?: Query;
  body?: object;
  /** Makes a POST safe to repeat. */
  idempotencyKey?: string | undefined;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  timeoutMs?: number;
  retry?: RetryPolicy;
}

const MAX_PAGES = 20;
/** So that a call with more time than this recovers from a connection that died silently. */
const MAX_ATTEMPT_MS = 30_000;

export class Http {
  constructor(private readonly options: HttpOptions) {}

  /** The reply's JSON; undefined where there is none (204). */
  async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    const { credential, now = Date.now, retry } = this.options;
    const end = now() + (options.timeoutMs ?? this.options.timeoutMs ?? Infinity);
    const limit = options.timeoutMs ?? Math.min(MAX_ATTEMPT_MS, this.options.timeoutMs ?? Infinity);
    let isRenewed = false;
    for (let attempt = 0; ; attempt += 1) {
      const headers = await credential.headers();
      if (this.options.signal?.aborted) throw new NetworkError();
      try {
        const timeLeft = end === Infinity ? null : Math.min(limit, end - now());
        return await this.attempt<T>(method, path, headers, options, timeLeft);
      } catch (error) {
        if (!(error instanceof HiloopError)) throw error;
        if (error.status === 401 && credential.renew && !isRenewed) {
          isRenewed = true;
          await credential.renew(headers);
          continue;
        }
        // A POST is safe to repeat by its key, the other methods by nature.
        const isRepeatable = method !== "POST" || options.idempotencyKey !== undefined;
        const wait = isRepeatable ? (options.retry ?? retry)(error, attempt) : null;
        if (wait === null || now() + wait >= end || this.options.signal?.aborted) throw error;
        await sleep(wait, options.signal);
      }
    }
  }

  /** Every page of a list, up to 2,000 rows. */
  async all<T>(path: string, options: CallOptions = {}): Promise<T[]> {
    const rows: T[] = [];
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const query = { ...options.query, page, pageSize: 100 };
      const reply = await this.call<Page<T>>("GET", path, { ...options, query });
      rows.push(...reply.data);
      if (reply.data.length === 0 || rows.length >= reply.total) break;
    }
    return rows;
  }

  private async attempt<T>(
    method: string,
    path: string,
    credential: Record<string, string>,
    options: CallOptions,
    timeLeft: number | null,
  ): Promise<T> {
    const headers: Record<string, string> = { ...credential, ...options.headers };
    if (options.body) headers["content-type"] = "application/json";
    if (options.idempotencyKey !== undefined) headers["idempotency-key"] = options.idempotencyKey;
    checkHeaders(headers);
    const url = this.options.baseUrl + path + queryText(options.query);
    const init: RequestInit = { method, headers, cache: "no-store" };
    if (options.body) init.body = JSON.stringify(options.body);
    const limit = attemptLimit(timeLeft, [options.signal, this.options.signal]);
    if (limit.signal) init.signal = limit.signal;
    try {
      const reply = await this.options.fetch(url, init);
      if (!reply.ok) throw await errorFrom(reply);
      return (reply.status === 204 ? undefined : await reply.json()) as T;
    } catch (error) {
      if (error instanceof HiloopError) throw error;
      options.signal?.throwIfAborted();
      throw limit.isOver() ? new TimeoutError("The hub did not reply in time.") : new NetworkError(error);
    } finally {
      limit.clear();
    }
  }
}

interface AttemptLimit {
  signal: AbortSignal | undefined;
  isOver(): boolean;
  clear(): void;
}

/** A signal that is aborted by each of the others and after `ms`. */
function attemptLimit(ms: number | null, given: readonly (AbortSignal | undefined)[]): AttemptLimit {
  const outer = given.filter((signal) => signal !== undefined);
  if (ms === null && outer.length < 2) return { signal: outer[0], isOver: () => false, clear: () => undefined };
  for (const signal of outer) signal.throwIfAborted();
  const inner = new AbortController();
  let isOver = false;
  const expired = (): void => {
    isOver = true;
    inner.abort();
  };
  const timer = ms === null ? null : setTimeout(expired, ms);
  const aborted = (): void => inner.abort();
  for (const signal of outer) signal.addEventListener("abort", aborted, { once: true });
  return {
    signal: inner.signal,
    isOver: () => isOver,
    clear: () => {
      if (timer !== null) clearTimeout(timer);
      for (const signal of outer) signal.removeEventListener("abort", aborted);
    },
  };
}

/** `fetch` reports a value that it can't send as it reports a lost network. */
function checkHeaders(headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(value)) {
      throw new HiloopError(400, "VALIDATION_ERROR", `Header '${name}' must be visible ASCII characters`);
    }
  }
}

function queryText(query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}`;
}

/** A fresh key for `Idempotency-Key`; works on pages without the secure-context APIs too. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
