// The human (and guest) endpoints over HTTP: bearer tokens, one retry after a refresh, errors of the contract.
import { errorFrom, NetworkError } from "./errors";
import { pause } from "./locks";
import type {
  Agent,
  FeedItem,
  Me,
  Message,
  OutgoingMessage,
  Page,
  Participant,
  Session,
  SignIn,
  TimelinePage,
} from "./types";

/** Where the bearer token comes from, and how a refused one is replaced. */
export interface TokenSource {
  token(): Promise<string>;
  refresh(stale: string): Promise<string>;
}

interface CallOptions {
  query?: Record<string, string | number>;
  body?: object;
  idempotencyKey?: string;
}

const MAX_RETRIES = 3;

export class Rest {
  constructor(
    private readonly auth: TokenSource,
    private readonly fetcher: typeof fetch,
  ) {}

  me(): Promise<Me> {
    return this.call("GET", "/v1/human/me");
  }

  feed(page: number, pageSize = 50): Promise<Page<FeedItem>> {
    return this.call("GET", "/v1/human/feed", { query: { page, pageSize } });
  }

  sessions(): Promise<Page<Session>> {
    return this.call("GET", "/v1/human/sessions");
  }

  session(id: string): Promise<Session> {
    return this.call("GET", at(id));
  }

  createSession(body: { title?: string; participants: { type: "Agent"; agentId: string }[] }): Promise<Session> {
    return this.call("POST", "/v1/human/sessions", { body, idempotencyKey: newKey() });
  }

  closeSession(id: string): Promise<Session> {
    return this.call("POST", at(id, "/close"), { body: {}, idempotencyKey: newKey() });
  }

  agents(): Promise<Agent[]> {
    return this.all("/v1/human/agents");
  }

  participants(id: string): Promise<Participant[]> {
    return this.all(at(id, "/participants"));
  }

  timeline(id: string, after: number, limit: number): Promise<TimelinePage> {
    return this.call("GET", at(id, "/timeline"), { query: { after, limit } });
  }

  send(id: string, message: OutgoingMessage, idempotencyKey: string): Promise<Message> {
    return this.call("POST", at(id, "/messages"), { body: message, idempotencyKey });
  }

  changePassword(current: string, fresh: string): Promise<void> {
    return this.call("POST", "/v1/human/password", { body: { current, new: fresh } });
  }

  signIns(): Promise<SignIn[]> {
    return this.all("/v1/human/sign-ins");
  }

  endSignIn(id: string): Promise<void> {
    return this.call("DELETE", `/v1/human/sign-ins/${encodeURIComponent(id)}`);
  }

  /** Every page of a list, up to a bound that no view goes beyond. */
  private async all<T>(path: string): Promise<T[]> {
    const rows: T[] = [];
    for (let page = 1; page <= 20; page += 1) {
      const reply = await this.call<Page<T>>("GET", path, { query: { page, pageSize: 100 } });
      rows.push(...reply.data);
      if (reply.data.length === 0 || rows.length >= reply.total) break;
    }
    return rows;
  }

  private async call<T>(method: string, path: string, options: CallOptions = {}): Promise<T> {
    let refreshed = false;
    for (let attempt = 0; ; attempt += 1) {
      const token = await this.auth.token();
      const reply = await this.fetchOnce(method, path, token, options);
      if (reply.ok) return (reply.status === 204 ? undefined : await reply.json()) as T;
      const error = await errorFrom(reply);
      if (error.status === 401 && !refreshed) {
        refreshed = true;
        await this.auth.refresh(token);
        continue;
      }
      // Safe to repeat: a GET by nature, a POST by its key.
      const repeatable = method === "GET" || options.idempotencyKey !== undefined;
      const wait = error.retryAfterMs ?? 400 * 2 ** attempt;
      const busy = error.status === 429 || error.status === 503 || error.code === "IDEMPOTENCY_IN_FLIGHT";
      if (!repeatable || !busy || attempt >= MAX_RETRIES || wait > 5_000) throw error;
      await pause(wait);
    }
  }

  private async fetchOnce(method: string, path: string, token: string, options: CallOptions): Promise<Response> {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (options.body) headers["content-type"] = "application/json";
    if (options.idempotencyKey) headers["idempotency-key"] = options.idempotencyKey;
    const query = new URLSearchParams(Object.entries(options.query ?? {}).map(([k, v]) => [k, String(v)])).toString();
    try {
      return await this.fetcher(query ? `${path}?${query}` : path, {
        method,
        headers,
        cache: "no-store",
        ...(options.body ? { body: JSON.stringify(options.body) } : {}),
      });
    } catch {
      throw new NetworkError();
    }
  }
}

function at(sessionId: string, rest = ""): string {
  return `/v1/human/sessions/${encodeURIComponent(sessionId)}${rest}`;
}

/** A fresh key for `Idempotency-Key`; works on pages without the secure-context APIs too. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
