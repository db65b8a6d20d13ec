// Reading without a connection: what the hub sent is kept for one person, bounded, and given only before a connection.
import { beforeEach, expect, test, vi } from "vitest";
import type { HubEvent } from "@hiloop/sdk/chat";
import { Kept } from "../src/client/kept";
import type { KeptRow, KeptStore } from "../src/client/kept-store";

class Store implements KeptStore {
  readonly rows = new Map<string, string>();
  async load(name: string) {
    const row = this.rows.get(name);
    return row === undefined ? undefined : (JSON.parse(row) as KeptRow);
  }
  async save(name: string, row: KeptRow) {
    this.rows.set(name, JSON.stringify(row));
  }
  async remove(name: string) {
    this.rows.delete(name);
  }
  async clear() {
    this.rows.clear();
  }
}

const FEED = "/v1/human/feed?page=1&pageSize=50";
const event = (seq: number, more: object = {}) => ({ sessionId: "s-1", seq, type: "message.created", at: "", actor: null, data: null, ...more }) as HubEvent;

let store: Store;
let status: number;
let isDown: boolean;
let isBefore: boolean;

/** A page of the same person in the same browser. */
function page() {
  const kept = new Kept(Promise.resolve(store), () => isBefore, () => 1_000);
  const fetch = kept.fetch((async (input: string) => {
    if (isDown) throw new TypeError("network");
    return new Response(JSON.stringify({ reply: input }), { status });
  }) as typeof globalThis.fetch);
  const get = async (path: string, init?: RequestInit) => (await fetch(path, init)).text();
  return { kept, fetch, get };
}

const saved = () => vi.waitFor(() => expect(store.rows.size).toBeGreaterThan(0), { timeout: 5_000 });

beforeEach(() => {
  store = new Store();
  status = 200;
  isDown = false;
  isBefore = true;
});

test("replies are given where the hub is out of reach, with the time of the list", async () => {
  const first = page();
  await first.get(FEED);
  await first.get("/v1/human/sessions/s-1/keys?page=1&pageSize=100");
  await saved();
  isDown = true;
  const { kept, get } = page();
  expect(JSON.parse(await get(FEED))).toEqual({ reply: FEED });
  expect(await get("/v1/human/sessions/s-1/keys?page=1&pageSize=100")).toContain("keys");
  expect(kept.shownAt).toBe(1_000);
  await expect(get("/v1/human/agents?page=1&pageSize=100")).rejects.toThrow("network");
  kept.connected();
  expect(kept.shownAt).toBeNull();
});

test("after a connection, a lost one gives nothing of before", async () => {
  const { kept, get } = page();
  await get(FEED);
  isDown = true;
  isBefore = false;
  await expect(get(FEED)).rejects.toThrow("network");
  expect(kept.shownAt).toBeNull();
});

test("secrets, other pages of the list and changes are not kept", async () => {
  const { get } = page();
  for (const path of ["/v1/human/key-backup", "/v1/human/sign-ins?page=1", "/v1/auth/refresh", "/v1/human/feed?page=2&pageSize=50", "/v1/human/sessions/s-1/timeline?after=0", "/v1/manage/keys", "/"]) await get(path);
  await get("/v1/human/sessions/s-1", { method: "PATCH" });
  await get("/v1/human/me");
  await saved();
  expect([...store.rows.keys()]).toEqual([""]);
  expect(Object.keys((JSON.parse(store.rows.get("") ?? "") as KeptRow).replies)).toEqual(["/v1/human/me"]);
});

test("the last 200 events are kept without a gap, each once, and less of very large ones", async () => {
  const { kept } = page();
  for (let seq = 1; seq <= 250; seq += 1) kept.event("s-1", event(seq));
  kept.event("s-1", event(249));
  expect((await kept.events("s-1")).map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, i) => i + 51));
  kept.event("s-1", event(300));
  kept.event("s-1", event(301));
  expect((await kept.events("s-1")).map(({ seq }) => seq)).toEqual([300, 301]);
  for (let seq = 302; seq <= 309; seq += 1) kept.event("s-1", event(seq, { data: { text: "x".repeat(300_000) } }));
  await saved();
  expect((store.rows.get("s-1") ?? "").length).toBeLessThan(1_100_000);
  expect((await page().kept.events("s-1")).at(-1)?.seq).toBe(309);
});

test("a conversation that is no longer the person's is dropped; signing out deletes all, also what is on its way", async () => {
  const { kept, get } = page();
  await get(FEED);
  await get("/v1/human/sessions/s-1");
  await saved();
  expect([...store.rows.keys()].sort()).toEqual(["", "s-1"]);
  status = 404;
  await get("/v1/human/sessions/s-1");
  await vi.waitFor(() => expect([...store.rows.keys()]).toEqual([""]), 30_000);
  kept.event("s-2", event(1));
  await kept.forget();
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  kept.event("s-2", event(2));
  expect(store.rows.size).toBe(0);
});

test("a browser without a database keeps nothing and fails nothing", async () => {
  const kept = new Kept(Promise.reject(new Error("no database")), () => true);
  const get = kept.fetch((async () => new Response("{}")) as typeof globalThis.fetch);
  expect(await (await get(FEED)).text()).toBe("{}");
  expect(await kept.events("s-1")).toEqual([]);
  await kept.forget();
});
