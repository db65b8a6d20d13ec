// Credentials: the refresh token is used once under concurrency, and a sign-in ends only when the hub has ended it.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Auth, type AuthChange, GUEST_KEY, TOKENS_KEY } from "../src/client/auth";
import { Rest, SignedOutError } from "@hiloop/sdk/chat";
import { type KeyValue, tabLocks } from "../src/client/locks";
import { type Call, fakeFetch, MemoryStorage } from "./fakes";

/** The hub's accounts: rotates, and ends the whole family when an old refresh token comes again. */
class Accounts {
  current = 0;
  refreshes = 0;
  ended = false;
  offline = false;
  lifetimeMs = 600_000;
  skewMs = 0;
  /** The subject of the tokens; null for ones that name nobody. */
  who: string | null = null;
  /** The cookies, which scripts cannot read. */
  cookie: string | null = null;
  readonly fetch = fakeFetch((call) => this.answer(call));

  private get token(): string {
    const named = this.who === null ? "" : `.${btoa(JSON.stringify({ sub: this.who }))}.x`;
    return `a${this.current}${named}`;
  }

  private grant(): { status: number; body: unknown; headers: Record<string, string> } {
    this.current += 1;
    this.cookie = `r${this.current}`;
    const now = Date.now() + this.skewMs;
    return {
      status: 200,
      body: { accessToken: this.token, refreshToken: null, expiresAt: new Date(now + this.lifetimeMs).toISOString() },
      headers: { date: new Date(now).toUTCString() },
    };
  }

  private answer(call: Call): { status: number; body?: unknown; headers?: Record<string, string> } {
    if (this.offline) throw new TypeError("network");
    if (call.path.startsWith("/v1/auth/")) expect(call.headers["hiloop-refresh"]).toBe("cookie");
    if (call.path === "/v1/auth/login" || call.path === "/v1/auth/setup") return this.grant();
    if (call.path === "/v1/auth/logout") {
      this.cookie = null;
      return { status: 204 };
    }
    if (call.path === "/v1/auth/refresh") {
      this.refreshes += 1;
      if (this.ended || (call.body.refreshToken ?? this.cookie) !== `r${this.current}`) {
        this.ended = true;
        return { status: 401, body: { error: { code: "UNAUTHORIZED", message: "no" } } };
      }
      return this.grant();
    }
    const good = !this.ended && call.headers.authorization === `Bearer ${this.token}`;
    return good ? { status: 200, body: { id: "me", name: "Me" } } : { status: 401, body: { error: { code: "UNAUTHORIZED", message: "no" } } };
  }
}

let accounts: Accounts;
let storage: MemoryStorage;
let tabs: Auth[];

function tab(): { auth: Auth; changes: AuthChange[]; rest: Rest } {
  const auth = new Auth({ fetch: accounts.fetch, storage, tabStorage: new MemoryStorage(), lock: tabLocks(undefined, storage) });
  tabs.push(auth);
  const changes: AuthChange[] = [];
  auth.onChange((change) => changes.push(change));
  return { auth, changes, rest: new Rest(auth, accounts.fetch) };
}

beforeEach(() => {
  vi.useFakeTimers();
  accounts = new Accounts();
  storage = new MemoryStorage();
  tabs = [];
});

afterEach(() => {
  for (const auth of tabs) auth.dispose();
  vi.useRealTimers();
});

test("signing in stores the tokens, which another tab starts with", async () => {
  const { auth, changes } = tab();
  await auth.login("a@b.c", "pw");
  expect(changes).toEqual([{ type: "token", token: "a1" }]);
  expect(await tab().auth.token()).toBe("a1");
});

test("no refresh token is where a script can read it; one of a page of before moves into the cookie", async () => {
  const { auth } = tab();
  await auth.login("a@b.c", "pw");
  expect(storage.getItem(TOKENS_KEY)).not.toContain("r1");
  auth.dispose();
  accounts.cookie = null;
  storage.setItem(TOKENS_KEY, JSON.stringify({ accessToken: "old", refreshToken: "r1", expiresAt: 0, lifetimeMs: 1 }));
  const later = tab().auth.token();
  await vi.advanceTimersByTimeAsync(500);
  expect(await later).toBe("a2");
  expect([accounts.cookie, storage.getItem(TOKENS_KEY)?.includes("refreshToken")]).toEqual(["r2", false]);
});

test("it refreshes by itself a little before the end", async () => {
  const { auth, changes } = tab();
  await auth.login("a@b.c", "pw");
  await vi.advanceTimersByTimeAsync(530_000);
  expect(accounts.refreshes).toBe(0);
  await vi.advanceTimersByTimeAsync(15_000);
  expect(accounts.refreshes).toBe(1);
  expect(changes.at(-1)).toEqual({ type: "token", token: "a2" });
});

test("a clock that is off changes nothing of it", async () => {
  accounts.skewMs = -3_600_000;
  const { auth } = tab();
  await auth.login("a@b.c", "pw");
  expect(await auth.token()).toBe("a1");
  await vi.advanceTimersByTimeAsync(530_000);
  expect(accounts.refreshes).toBe(0);
});

test("many at once, in two tabs, use the refresh token once", async () => {
  const one = tab();
  await one.auth.login("a@b.c", "pw");
  const two = tab();
  const all = Promise.all([one.auth.refresh("a1"), one.auth.refresh("a1"), two.auth.refresh("a1"), two.auth.refresh("a1")]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await all).toEqual(["a2", "a2", "a2", "a2"]);
  expect(accounts.refreshes).toBe(1);
  expect(accounts.ended).toBe(false);
});

test("a tab takes over a new token from another tab and refreshes its socket", async () => {
  const one = tab();
  await one.auth.login("a@b.c", "pw");
  const two = tab();
  const refreshed = one.auth.refresh("a1");
  await vi.advanceTimersByTimeAsync(500);
  await refreshed;
  two.auth.storageChanged();
  expect(two.changes).toEqual([{ type: "token", token: "a2" }]);
});

test("a call that is refused goes again with a fresh token, once", async () => {
  const { auth, rest } = tab();
  await auth.login("a@b.c", "pw");
  accounts.current = 1;
  const stored = JSON.parse(storage.getItem(TOKENS_KEY) ?? "{}") as { accessToken: string };
  storage.setItem(TOKENS_KEY, JSON.stringify({ ...stored, accessToken: "stale" }));
  auth.storageChanged();
  const me = rest.me();
  await vi.advanceTimersByTimeAsync(500);
  expect((await me).name).toBe("Me");
  expect(accounts.refreshes).toBe(1);
});

test("a refused refresh ends the sign-in; a lost network does not", async () => {
  const { auth, changes } = tab();
  await auth.login("a@b.c", "pw");
  accounts.offline = true;
  const lost = auth.refresh("a1").catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(500);
  expect(await lost).not.toBeInstanceOf(SignedOutError);
  expect(auth.kind).toBe("human");
  accounts.offline = false;
  accounts.ended = true;
  const refused = auth.refresh("a1").catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(500);
  expect(await refused).toBeInstanceOf(SignedOutError);
  expect(auth.kind).toBe("none");
  expect(changes.at(-1)?.type).toBe("ended");
  expect(storage.getItem(TOKENS_KEY)).toBeNull();
});

test("signing out ends the sign-in at the hub and in other tabs", async () => {
  const one = tab();
  await one.auth.login("a@b.c", "pw");
  const two = tab();
  await one.auth.logout();
  expect(accounts.fetch.calls.at(-1)).toMatchObject({ path: "/v1/auth/logout", body: {}, headers: { authorization: "Bearer a1" } });
  expect(accounts.cookie).toBeNull();
  two.auth.storageChanged();
  expect(two.auth.kind).toBe("none");
});

test("a guest's token stays in its tab, and a refused one ends the visit alone", async () => {
  const { auth, rest } = tab();
  await auth.login("a@b.c", "pw");
  auth.openGuest("hlg_1");
  expect(await auth.token()).toBe("hlg_1");
  expect(storage.getItem(GUEST_KEY)).toBeNull();
  await expect(rest.me()).rejects.toBeInstanceOf(SignedOutError);
  expect(auth.kind).toBe("human");
});

test("a setup link signs in with the password it sets", async () => {
  const { auth } = tab();
  await auth.setup("once", "secret password");
  expect(accounts.fetch.calls[0]).toMatchObject({ path: "/v1/auth/setup", body: { token: "once", password: "secret password" } });
  expect(await auth.token()).toBe("a1");
});

test("calls of a guest that are refused together end the visit once, and leave the person's sign-in alone", async () => {
  const { auth, changes, rest } = tab();
  await auth.login("me@example.org", "secret");
  auth.openGuest("hlg_gone");
  const seen = changes.length;
  await Promise.allSettled([rest.me(), rest.me(), rest.sessions()]);
  expect(changes.slice(seen)).toEqual([{ type: "ended", reason: "This link is no longer valid." }]);
  expect(storage.getItem(TOKENS_KEY)).not.toBeNull();
});

test("a tab waits for a value that becomes visible late, and uses no refresh token twice", async () => {
  // Each tab has a view of its own, in which the other's writes arrive in their order, 40 ms later.
  const views = [new MemoryStorage(), new MemoryStorage()];
  const view = (mine: number): KeyValue => ({
    getItem: (key) => (views[mine] as MemoryStorage).getItem(key),
    setItem: (key, value) => {
      (views[mine] as MemoryStorage).setItem(key, value);
      setTimeout(() => (views[1 - mine] as MemoryStorage).setItem(key, value), 40);
    },
    removeItem: (key) => {
      (views[mine] as MemoryStorage).removeItem(key);
      setTimeout(() => (views[1 - mine] as MemoryStorage).removeItem(key), 40);
    },
  });
  let last: Promise<unknown> = Promise.resolve();
  const manager = {
    request<T>(_name: string, work: () => Promise<T>): Promise<T> {
      const mine = last.then(work);
      last = mine.catch(() => undefined);
      return mine;
    },
  };
  const written = new Map<string, number>();
  const turns = {
    read: async (name: string) => written.get(name) ?? 0,
    write: async (name: string, turn: number) => void written.set(name, turn),
  };
  const open = (mine: number): Auth => {
    const auth = new Auth({ fetch: accounts.fetch, storage: view(mine), tabStorage: new MemoryStorage(), lock: tabLocks(manager, view(mine), turns) });
    tabs.push(auth);
    return auth;
  };
  const one = open(0);
  await one.login("a@b.c", "pw");
  await vi.advanceTimersByTimeAsync(50);
  const other = open(1);
  const both = Promise.all([one.refresh("a1"), other.refresh("a1")]);
  await vi.advanceTimersByTimeAsync(200);
  expect(await both).toEqual(["a2", "a2"]);
  expect(accounts.refreshes).toBe(1);
  expect(accounts.ended).toBe(false);
});

async function signIn(auth: Auth, who: string): Promise<string> {
  accounts.who = who;
  await auth.login(`${who}@example.org`, "pw");
  return auth.token();
}

test("the calls of one person never bear the token of another one", async () => {
  const { auth } = tab();
  const stale = await signIn(auth, "ada");
  const ada = auth.person();
  expect([await ada.token(), ada.owner]).toEqual([stale, "ada"]);
  await auth.logout();
  const bobs = await signIn(auth, "bob");
  const before = accounts.fetch.calls.length;
  await expect(ada.token()).rejects.toBeInstanceOf(SignedOutError);
  await expect(ada.refresh(stale)).rejects.toBeInstanceOf(SignedOutError);
  await expect(new Rest(ada, accounts.fetch).me()).rejects.toBeInstanceOf(SignedOutError);
  expect([accounts.fetch.calls.length, await auth.person().token(), ada.isMine(bobs)]).toEqual([before, bobs, false]);
  const bob = auth.person();
  auth.openGuest("hlg_1");
  await expect(bob.token()).rejects.toBeInstanceOf(SignedOutError);
  const guest = auth.person();
  expect(await guest.token()).toBe("hlg_1");
  expect(guest.owner).not.toContain("hlg_1");
  auth.openGuest("hlg_2");
  await expect(guest.token()).rejects.toBeInstanceOf(SignedOutError);
  expect(auth.person().owner).not.toBe(guest.owner);
});

test("a tab that was asleep ends what it has open where another person has signed in", async () => {
  const [one, two] = [tab(), tab()];
  const stale = await signIn(one.auth, "ada");
  two.auth.storageChanged();
  const ada = tab();
  const person = ada.auth.person();
  await one.auth.logout();
  const bobs = await signIn(one.auth, "bob");
  const refused = person.refresh(stale).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(500);
  expect(await refused).toBeInstanceOf(SignedOutError);
  expect(ada.changes).toEqual([{ type: "ended", reason: null }, { type: "token", token: bobs }]);
});

test("signing out while a token is renewed stays so, and the next person stays signed in", async () => {
  const { auth } = tab();
  const stale = await signIn(auth, "ada");
  const renewed = auth.refresh(stale).catch((error: unknown) => error);
  await auth.logout();
  await vi.advanceTimersByTimeAsync(500);
  expect([await renewed, auth.kind, storage.getItem(TOKENS_KEY)]).toMatchObject([{ code: "UNAUTHORIZED" }, "none", null]);
});

test("a sign-in keeps its name over renewals, and the next one of the same person has another", async () => {
  const { auth } = tab();
  const stale = await signIn(auth, "ada");
  const first = auth.person().signIn();
  const renewed = auth.refresh(stale);
  await vi.advanceTimersByTimeAsync(500);
  await renewed;
  expect([typeof first, auth.person().signIn()]).toEqual(["string", first]);
  await auth.logout();
  await signIn(auth, "ada");
  expect(auth.person().signIn()).not.toBe(first);
});
