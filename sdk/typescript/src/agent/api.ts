// The calls of an agent: credential, the agent that they act as, retries, waits.
import { HiloopError } from "../errors.js";
import { type CallOptions, Http, newKey, type RetryPolicy } from "../http.js";
import { checkAgentName, type RequestOptions, type Settings, type WaitOptions, type WriteOptions } from "./options.js";
import type { Page } from "../types.js";
import { pollUntil, retryTransient } from "./retry.js";
import { SpaceCheck } from "./space.js";

/** Beyond the seconds that the hub holds a long-poll: the way there and back. */
const POLL_MARGIN_MS = 10_000;
/** Of a list. */
const MAX_PAGES = 500;

export class Api {
  private readonly http: Http;
  private readonly space: SpaceCheck | null;

  /** Hidden from logs: it holds secrets. */
  readonly #settings: Settings;

  constructor(settings: Settings) {
    this.#settings = settings;
    const { apiKey, baseUrl, platform, spaceName, timeoutMs } = settings;
    this.http = new Http({
      baseUrl,
      // The key goes to this hub alone: a redirect is an error reply, which no repetition cures.
      fetch: (input, init) => platform.fetch(input, { ...init, redirect: "manual" }),
      credential: { headers: () => Promise.resolve({ "x-api-key": apiKey }) },
      retry: retryTransient(platform),
      timeoutMs,
      now: () => platform.now(),
    });
    this.space = spaceName === null ? null : new SpaceCheck(this.http, spaceName);
  }

  get settings(): Settings {
    return this.#settings;
  }

  async call<T>(method: string, path: string, options: RequestOptions, call: CallOptions = {}): Promise<T> {
    await this.space?.passed();
    return this.http.call(method, path, { ...call, headers: this.headers(options), signal: options.signal });
  }

  async all<T>(path: string, options: RequestOptions): Promise<T[]> {
    await this.space?.passed();
    const rows: T[] = [];
    for (let page = 1; page <= MAX_PAGES; page += 1) {
      const query = { page, pageSize: 100 };
      const reply = await this.http.call<Page<T>>("GET", path, { query, headers: this.headers(options), signal: options.signal });
      rows.push(...reply.data);
      if (reply.data.length === 0 || rows.length >= reply.total) return rows;
    }
    throw new HiloopError(0, "TOO_MANY", `The hub lists more than ${MAX_PAGES * 100} rows`);
  }

  write<T>(path: string, body: object, options: WriteOptions): Promise<T> {
    return this.call("POST", path, options, { body, idempotencyKey: options.idempotencyKey ?? newKey() });
  }

  async remove(path: string, options: RequestOptions): Promise<void> {
    const policy = retryTransient(this.settings.platform);
    let isRepeated = false;
    const retry: RetryPolicy = (error, attempt) => {
      const wait = policy(error, attempt);
      isRepeated ||= wait !== null;
      return wait;
    };
    try {
      await this.call("DELETE", path, options, { retry });
    } catch (error) {
      // Removed by an attempt whose reply was lost.
      if (!(isRepeated && error instanceof HiloopError && error.status === 404)) throw error;
    }
  }

  longPoll<T>(path: string, seconds: number, options: RequestOptions, query: { after?: number | undefined } = {}): Promise<T> {
    const timeoutMs = seconds * 1000 + POLL_MARGIN_MS;
    return this.call("GET", path, options, { query: { ...query, timeout: seconds }, timeoutMs, retry: () => null });
  }

  poll<T>(options: WaitOptions, timeoutMessage: string, poll: (seconds: number) => Promise<T | null>): Promise<T> {
    const { timeout: timeoutMs, signal } = options;
    return pollUntil(poll, { timeoutMs, signal, timeoutMessage }, this.settings.platform);
  }

  /** The agent that a call acts as; null for the key's own. */
  agentOf({ agentName }: RequestOptions): string | null {
    if (agentName !== undefined) checkAgentName(agentName);
    return agentName ?? this.settings.agentName;
  }

  private headers(options: RequestOptions): Record<string, string> {
    const agent = this.agentOf(options);
    return agent === null ? {} : { "x-hiloop": agent };
  }
}

export function at(sessionId: string, rest = ""): string {
  return `/v1/agent/sessions/${encodeURIComponent(sessionId)}${rest}`;
}

export function atMessage(sessionId: string, messageId: string, rest = ""): string {
  return at(sessionId, `/messages/${encodeURIComponent(messageId)}${rest}`);
}
