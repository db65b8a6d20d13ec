// Credentials: sign-in, the refresh of a human's token (once for all tabs), guests, sign-out.
import { errorFrom, type LoginReply, NetworkError, newKey, SignedOutError } from "@hiloop/sdk/chat";
import type { KeyValue, WithLock } from "./locks";

/** The stored part of a sign-in. The refresh token is in a cookie that no script can read. */
interface HumanTokens {
  accessToken: string;
  /** Stored by an earlier version of the page; the next refresh moves it into the cookie. */
  refreshToken?: string;
  /** By this browser's clock, in milliseconds. */
  expiresAt: number;
  /** How long the token was good for when it was issued. */
  lifetimeMs: number;
  /** Of this sign-in alone: the same person has another one after the next. Absent where an earlier version of the page stored it. */
  signIn?: string;
}

/** The tokens of one person: there are none once somebody else is signed in here. */
export interface PersonTokens {
  /** Names the person, or the visit of a guest, in this browser. */
  readonly owner: string;
  /** The sign-in as it is now. */
  signIn(): string | null;
  isMine(token: string): boolean;
  token(): Promise<string>;
  refresh(stale: string): Promise<string>;
}

export interface AuthOptions {
  fetch: typeof fetch;
  /** Shared by the tabs: a human's tokens. */
  storage: KeyValue;
  /** This tab's own: a guest's token. */
  tabStorage: KeyValue;
  lock: WithLock;
  now?: () => number;
}

export type AuthKind = "human" | "guest" | "none";
export type AuthChange = { type: "token"; token: string } | { type: "ended"; reason: string | null };

export const TOKENS_KEY = "hiloop.tokens";
export const GUEST_KEY = "hiloop.guest";
const GUEST_PREFIX = "hlg_";

export class Auth {
  private readonly now: () => number;
  private readonly listeners = new Set<(change: AuthChange) => void>();
  private tokens: HumanTokens | null;
  private guest: string | null;
  private refreshing: Promise<string> | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly options: AuthOptions) {
    this.now = options.now ?? Date.now;
    this.guest = options.tabStorage.getItem(GUEST_KEY);
    this.tokens = this.stored();
    this.schedule();
  }

  get kind(): AuthKind {
    return this.guest !== null ? "guest" : this.tokens ? "human" : "none";
  }

  /** The id of the person who is signed in; null for a guest. */
  get subject(): string | null {
    return this.guest === null && this.tokens ? subjectOf(this.tokens.accessToken) : null;
  }

  /** The token as it is, good or not; null without one. */
  get lastToken(): string | null {
    return this.guest ?? this.tokens?.accessToken ?? null;
  }

  onChange(listener: (change: AuthChange) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async login(email: string, password: string): Promise<void> {
    this.accept(await this.post("/v1/auth/login", { email, password }), newKey());
  }

  /** Sets the first password through a one-time link, and signs in. */
  async setup(token: string, password: string): Promise<void> {
    this.accept(await this.post("/v1/auth/setup", { token, password }), newKey());
  }

  /** Whether this tab is a guest by that token already. */
  isGuestBy(token: string): boolean {
    return this.guest === token;
  }

  openGuest(token: string): void {
    this.guest = token;
    this.options.tabStorage.setItem(GUEST_KEY, token);
    this.schedule();
  }

  async logout(): Promise<void> {
    const tokens = this.guest === null ? this.tokens : null;
    this.end(null);
    if (!tokens) return;
    try {
      await this.post("/v1/auth/logout", keptIn(tokens), tokens.accessToken);
    } catch {
      // Signed out here in any case; the token runs out by itself.
    }
  }

  /** Those of whoever is signed in now. */
  person(): PersonTokens {
    const { guest } = this;
    const subject = this.tokens && subjectOf(this.tokens.accessToken);
    const isMine = (token: string): boolean => (guest === null ? this.guest === null && subjectOf(token) === subject : token === guest);
    const mine = async (token: Promise<string>): Promise<string> => {
      if (isMine(await token)) return token;
      throw new SignedOutError();
    };
    return {
      owner: guest === null ? String(subject) : `guest-${checksum(guest)}`,
      signIn: () => (guest === null ? (this.tokens?.signIn ?? null) : "guest"),
      isMine,
      token: () => mine(this.token()),
      refresh: (stale) => (isMine(stale) && this.isStill(isMine) ? mine(this.refresh(stale)) : Promise.reject(new SignedOutError())),
    };
  }

  private isStill(isMine: (token: string) => boolean): boolean {
    const now = this.guest ?? this.tokens?.accessToken;
    return now !== undefined && isMine(now);
  }

  /** A token that is good now; refreshes one that is about to run out. */
  async token(): Promise<string> {
    if (this.guest !== null) return this.guest;
    if (!this.tokens) throw new SignedOutError();
    if (this.tokens.expiresAt - this.now() > Math.min(5_000, this.tokens.lifetimeMs / 10)) return this.tokens.accessToken;
    return this.refresh(this.tokens.accessToken);
  }

  /** Replaces a token that the hub no longer takes (or soon won't). One call at a time, in all tabs. */
  refresh(stale: string): Promise<string> {
    if (this.guest !== null || stale.startsWith(GUEST_PREFIX)) {
      // Several calls may be refused at once: only the first one ends the visit, and never the person's own sign-in.
      if (stale === this.guest) this.end("This link is no longer valid.");
      return Promise.reject(new SignedOutError("This link is no longer valid."));
    }
    this.refreshing ??= this.options
      .lock("refresh", () => this.refreshUnderLock(stale))
      .finally(() => {
        this.refreshing = null;
      });
    return this.refreshing;
  }

  private async refreshUnderLock(stale: string): Promise<string> {
    // Another tab may have been faster: using the old refresh token again would end them all.
    const current = this.stored();
    if (!current) {
      if (this.tokens) this.end(null);
      throw new SignedOutError();
    }
    if (this.tokens && subjectOf(current.accessToken) !== subjectOf(this.tokens.accessToken)) {
      // Another person has signed in in another tab, of which this one was not told yet.
      this.storageChanged();
      throw new SignedOutError();
    }
    if (current.accessToken !== stale && current.expiresAt > this.now()) {
      this.adopt(current);
      return current.accessToken;
    }
    let reply: Awaited<ReturnType<Auth["post"]>>;
    try {
      reply = await this.post("/v1/auth/refresh", keptIn(current));
    } catch (error) {
      if (this.stored()?.accessToken !== current.accessToken) throw error;
      const status = error instanceof Error && "status" in error ? Number(error.status) : 0;
      if (status === 400 || status === 401 || status === 403) {
        this.end("You have been signed out. Please sign in again.");
        throw new SignedOutError();
      }
      this.schedule(15_000);
      throw error;
    }
    // Signed out meanwhile, perhaps with somebody else signed in.
    if (this.stored()?.accessToken !== current.accessToken) throw new SignedOutError();
    this.accept(reply, current.signIn);
    return this.tokens?.accessToken ?? stale;
  }

  /** To be called when another tab wrote to the shared storage. */
  storageChanged(): void {
    if (this.guest !== null) return;
    const current = this.stored();
    if (!current) {
      if (this.tokens) this.end(null);
    } else if (this.tokens && subjectOf(current.accessToken) !== subjectOf(this.tokens.accessToken)) {
      // Another person has signed in there: nothing of the previous one may stay open here.
      this.emit({ type: "ended", reason: null });
      this.adopt(current);
    } else if (current.accessToken !== this.tokens?.accessToken) {
      this.adopt(current);
    }
  }

  /** Deletes the credential and notifies the listeners. */
  end(reason: string | null): void {
    if (this.guest !== null) {
      this.guest = null;
      this.options.tabStorage.removeItem(GUEST_KEY);
    } else {
      this.tokens = null;
      this.options.storage.removeItem(TOKENS_KEY);
    }
    this.schedule();
    this.emit({ type: "ended", reason });
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.listeners.clear();
  }

  private accept(reply: LoginReply & { clockSkewMs: number }, signIn: string | undefined): void {
    const expiresAt = Date.parse(reply.expiresAt) - reply.clockSkewMs;
    const tokens: HumanTokens = {
      accessToken: reply.accessToken,
      ...(reply.refreshToken ? { refreshToken: reply.refreshToken } : {}),
      expiresAt,
      lifetimeMs: Math.max(0, expiresAt - this.now()),
      ...(signIn === undefined ? {} : { signIn }),
    };
    this.options.storage.setItem(TOKENS_KEY, JSON.stringify(tokens));
    this.adopt(tokens);
  }

  private adopt(tokens: HumanTokens): void {
    this.tokens = tokens;
    this.schedule();
    this.emit({ type: "token", token: tokens.accessToken });
  }

  /** Plans the refresh for a little before the end: a fifth of the lifetime, a minute at most. */
  private schedule(retryInMs?: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const tokens = this.guest === null ? this.tokens : null;
    if (!tokens) return;
    const margin = Math.min(60_000, tokens.lifetimeMs / 5);
    const wait = retryInMs ?? Math.max(0, tokens.expiresAt - margin - this.now());
    this.timer = setTimeout(() => {
      if (this.tokens === tokens && this.guest === null) this.refresh(tokens.accessToken).catch(() => undefined);
    }, Math.min(wait, 2 ** 31 - 1));
  }

  private stored(): HumanTokens | null {
    try {
      const tokens = JSON.parse(this.options.storage.getItem(TOKENS_KEY) ?? "null") as HumanTokens | null;
      return tokens && typeof tokens.accessToken === "string" ? tokens : null;
    } catch {
      return null;
    }
  }

  private emit(change: AuthChange): void {
    for (const listener of [...this.listeners]) listener(change);
  }

  private async post(path: string, body: object, bearer?: string): Promise<LoginReply & { clockSkewMs: number }> {
    const headers: Record<string, string> = { "content-type": "application/json", "hiloop-refresh": "cookie" };
    if (bearer) headers.authorization = `Bearer ${bearer}`;
    let reply: Response;
    try {
      reply = await this.options.fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    } catch {
      throw new NetworkError();
    }
    if (!reply.ok) throw await errorFrom(reply);
    const hubTime = Date.parse(reply.headers.get("date") ?? "");
    const clockSkewMs = Number.isNaN(hubTime) ? 0 : hubTime - this.now();
    if (reply.status === 204) return { accessToken: "", refreshToken: null, expiresAt: "", clockSkewMs };
    return { ...((await reply.json()) as LoginReply), clockSkewMs };
  }
}

/** The refresh token as a body brings it, where it is not in the cookie. */
function keptIn({ refreshToken }: HumanTokens): { refreshToken?: string } {
  return refreshToken ? { refreshToken } : {};
}

/** The subject of a JWT; null if it can't be read. */
function subjectOf(token: string): string | null {
  try {
    const payload = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    return String((JSON.parse(atob(payload)) as { sub?: unknown }).sub);
  } catch {
    return null;
  }
}

/** Tells the links of guests apart without naming them. */
function checksum(text: string): string {
  let sum = 0x811c9dc5;
  for (const char of text) sum = Math.imul(sum ^ (char.codePointAt(0) as number), 0x01000193) >>> 0;
  return sum.toString(36);
}
