// The human (and guest) endpoints over HTTP: bearer tokens, one retry after a refresh.
import { HiloopError } from "../errors.js";
import { type Credential, Http, newKey } from "../http.js";
import { Admission } from "./admission.js";
import type {
  Agent,
  Envelope,
  FeedItem,
  Me,
  Message,
  OutgoingMessage,
  Page,
  Participant,
  Session,
  SignIn,
  TimelinePage,
} from "../types.js";

/** Where the bearer token comes from, and how a refused one is replaced. */
export interface TokenSource {
  token(): Promise<string>;
  refresh(stale: string): Promise<string>;
}

const MAX_RETRIES = 3;
const MAX_WAIT_MS = 5_000;

export class Rest {
  /** Everything that names a conversation comes through here. */
  readonly admission = new Admission();
  /** For calls of other parts of the page. */
  readonly http: Http;

  /** `signal` ends every call: with the sign-in that they belong to. */
  constructor(tokens: TokenSource, fetcher: typeof fetch, baseUrl = "", signal?: AbortSignal) {
    this.http = new Http({ baseUrl, fetch: fetcher, credential: bearer(tokens), retry: waitWhileBusy, signal });
  }

  me(): Promise<Me> {
    return this.http.call("GET", "/v1/human/me");
  }

  async feed(page: number, pageSize = 50): Promise<Page<FeedItem>> {
    return this.admission.feed(await this.http.call<Page<FeedItem>>("GET", "/v1/human/feed", { query: { page, pageSize } }));
  }

  sessions(): Promise<Page<Session>> {
    return this.http.call("GET", "/v1/human/sessions");
  }

  async session(id: string): Promise<Session> {
    return this.admission.session(id, await this.http.call<Session>("GET", at(id)));
  }

  createSession(body: {
    id?: string;
    title?: string;
    encryptedTitle?: Envelope;
    participants: { type: "Agent"; agentId: string }[];
  }): Promise<Session> {
    return this.http.call("POST", "/v1/human/sessions", { body, idempotencyKey: newKey() });
  }

  async closeSession(id: string): Promise<Session> {
    return this.admission.session(id, await this.http.call<Session>("POST", at(id, "/close"), { body: {}, idempotencyKey: newKey() }));
  }

  agents(): Promise<Agent[]> {
    return this.http.all("/v1/human/agents");
  }

  participants(id: string): Promise<Participant[]> {
    return this.http.all(at(id, "/participants"));
  }

  /** Every public key entry of those who take part or took part. */
  keys(id: string): Promise<object[]> {
    return this.http.all(at(id, "/keys"));
  }

  publishKey(entry: object): Promise<void> {
    return this.http.call("PUT", "/v1/human/public-key", { body: entry });
  }

  /** The encrypted backup of the person's keys; null where there is none. */
  async keyBackup(): Promise<object | null> {
    try {
      return await this.http.call<object>("GET", "/v1/human/key-backup");
    } catch (error) {
      if (error instanceof HiloopError && error.status === 404) return null;
      throw error;
    }
  }

  putKeyBackup(backup: object): Promise<void> {
    return this.http.call("PUT", "/v1/human/key-backup", { body: backup });
  }

  async timeline(id: string, after: number, limit: number): Promise<TimelinePage> {
    return this.admission.timeline(id, await this.http.call<TimelinePage>("GET", at(id, "/timeline"), { query: { after, limit } }));
  }

  async message(id: string, messageId: string): Promise<Message> {
    return this.admission.message(id, messageId, await this.http.call<Message>("GET", at(id, `/messages/${encodeURIComponent(messageId)}`)));
  }

  async send(id: string, message: OutgoingMessage, idempotencyKey: string): Promise<Message> {
    return this.admission.message(id, null, await this.http.call<Message>("POST", at(id, "/messages"), { body: message, idempotencyKey }));
  }

  changePassword(current: string, fresh: string): Promise<void> {
    return this.http.call("POST", "/v1/human/password", { body: { current, new: fresh } });
  }

  signIns(): Promise<SignIn[]> {
    return this.http.all("/v1/human/sign-ins");
  }

  /** Signs out here and everywhere else. */
  endAllSignIns(): Promise<void> {
    return this.http.call("POST", "/v1/auth/logout", { body: { everywhere: true } });
  }

  endSignIn(id: string): Promise<void> {
    return this.http.call("DELETE", `/v1/human/sign-ins/${encodeURIComponent(id)}`, { retry: () => null });
  }
}

function at(sessionId: string, rest = ""): string {
  return `/v1/human/sessions/${encodeURIComponent(sessionId)}${rest}`;
}

function bearer(tokens: TokenSource): Credential {
  const scheme = "Bearer ";
  return {
    headers: async () => ({ authorization: scheme + (await tokens.token()) }),
    renew: ({ authorization = "" }) => tokens.refresh(authorization.slice(scheme.length)),
  };
}

/** Repeats requests to a busy hub a few times. Network errors are left to the caller, which shows them. */
function waitWhileBusy(error: HiloopError, attempt: number): number | null {
  const wait = error.retryAfterMs ?? 400 * 2 ** attempt;
  const isBusy = error.status === 429 || error.status === 503 || error.code === "IDEMPOTENCY_IN_FLIGHT";
  return isBusy && attempt < MAX_RETRIES && wait <= MAX_WAIT_MS ? wait : null;
}
