// A draft that the database has not kept yet is in the tab: after a reload or a crash it is there again, and not in clear.
import { beforeEach, expect, test } from "vitest";
import { DraftCopies } from "../src/client/draft-copies";
import { Drafts, type DraftStore } from "../src/client/drafts";
import { LockedBox } from "../src/client/locked-box";
import { Pads } from "../src/client/pads";
import { waitFor } from "./dom";
import { MemoryStorage } from "./fakes";

class TabStorage extends MemoryStorage {
  private readonly names = new Set<string>();
  get length(): number {
    return this.names.size;
  }
  key(i: number): string | null {
    return [...this.names][i] ?? null;
  }
  override setItem(key: string, value: string): void {
    this.names.add(key);
    super.setItem(key, value);
  }
  override removeItem(key: string): void {
    this.names.delete(key);
    super.removeItem(key);
  }
  dump(): string {
    return [...this.names].map((name) => `${name}=${this.getItem(name)}`).join("\n");
  }
}

/** A database that keeps nothing before it is told to. */
class SlowStore implements DraftStore {
  readonly rows = new Map<string, unknown>();
  private waiting: (() => void)[] = [];
  async drafts(): Promise<Map<string, unknown>> {
    return new Map(this.rows);
  }
  async putDraft(name: string, draft: unknown): Promise<void> {
    await new Promise<void>((resolve) => this.waiting.push(resolve));
    if (draft === null) this.rows.delete(name);
    else this.rows.set(name, draft);
  }
  async finish(): Promise<void> {
    await waitFor("a write", () => this.waiting.length > 0);
    for (const one of this.waiting.splice(0)) one();
  }
}

let box: LockedBox;
let storage: TabStorage;
const copies = (owner = "mira"): DraftCopies => new DraftCopies(owner, (iv, length) => box.keyStream(iv, length), () => storage);
const say = (text: string) => ({ text, target: null });

beforeEach(async () => {
  box = new LockedBox(await LockedBox.newKey());
  storage = new TabStorage();
});

/** A page that starts with what is there, once it can lock at once. */
async function page(store: DraftStore, owner = "mira"): Promise<Drafts> {
  const drafts = new Drafts();
  const own = copies(owner);
  await drafts.start(store, own);
  return drafts;
}

test("what was typed just before a reload is there again, though the database has not kept it", async () => {
  const store = new SlowStore();
  const before = await page(store);
  before.set("s", say("half a thou"));
  before.set("s", say("half a thought"));
  await waitFor("a copy", () => storage.length === 1);
  expect(storage.dump()).not.toMatch(/thou|"text"/);
  const after = await page(store);
  expect(after.get("s").text).toBe("half a thought");
  expect(store.rows.size).toBe(0);
});

test("once there are key streams, the copy is made in the task of the key press", async () => {
  let made = 0;
  const drafts = new Drafts();
  const keyStream = async (iv: Uint8Array<ArrayBuffer>, length: number): Promise<Uint8Array> => {
    const stream = (await box.keyStream(iv, length)) as Uint8Array;
    made += 1;
    return stream;
  };
  await drafts.start(new SlowStore(), new DraftCopies("mira", keyStream, () => storage));
  await waitFor("key streams", () => made === 8);
  for (let i = 0; i < 8; i += 1) {
    drafts.set("s", say(`typed ${i}`));
    expect(storage.length).toBe(1);
    storage.removeItem("hiloop.draft.mira.s");
  }
});

test("the copy goes when the database has the same change", async () => {
  const store = new SlowStore();
  const drafts = await page(store);
  drafts.set("s", say("one"));
  await waitFor("a copy", () => storage.length === 1);
  await store.finish();
  await waitFor("no copy", () => storage.length === 0);
  expect(store.rows.get("s")).toMatchObject({ text: "one" });
  // Later changes keep theirs while an earlier one is written.
  drafts.set("s", say("two"));
  drafts.set("s", say("three"));
  await store.finish();
  await waitFor("the second write", () => (store.rows.get("s") as { text: string }).text === "two");
  await waitFor("the copy of the third", () => storage.length === 1);
  await store.finish();
  await waitFor("no copy", () => storage.length === 0);
  expect(store.rows.get("s")).toMatchObject({ text: "three" });
});

test("what was sent just before a reload does not come back as a draft", async () => {
  const store = new SlowStore();
  store.rows.set("s", { ...say("sent"), at: 1 });
  const before = await page(store);
  before.set("s", say(""));
  const after = await page(store);
  expect(after.get("s").text).toBe("");
  await store.finish();
  await waitFor("no row", () => store.rows.size === 0);
});

test("a copy that is older than what another tab has written is dropped", async () => {
  const store = new SlowStore();
  const before = await page(store);
  before.set("s", say("old"));
  await waitFor("a copy", () => storage.length === 1);
  store.rows.set("s", { ...say("newer"), at: Date.now() + 60_000 });
  expect((await page(store)).get("s").text).toBe("newer");
  expect(storage.length).toBe(0);
});

test("another person, another key, and something that is no copy yield nothing; signing out leaves nothing", async () => {
  const store = new SlowStore();
  const drafts = await page(store);
  drafts.set("s", say("Mira's"));
  await waitFor("a copy", () => storage.length === 1);
  storage.setItem("hiloop.draft.mira.odd", "no copy");
  expect((await page(new SlowStore(), "alex")).get("s").text).toBe("");
  const key = box;
  box = new LockedBox(await LockedBox.newKey());
  const other = await page(new SlowStore());
  expect([other.get("s").text, other.get("odd").text]).toEqual(["", ""]);
  box = key;
  drafts.forget();
  expect(storage.length).toBe(0);
});

test("each key stream is used once, and long texts get longer ones", async () => {
  const used = new Map<string, number>();
  const pads = new Pads((iv, length) => {
    const name = String(iv);
    used.set(name, (used.get(name) ?? 0) + 1);
    return box.keyStream(iv, length);
  }, () => undefined);
  const lock = (text: string): Promise<string> => waitFor("a key stream", () => pads.lock(text));
  const locked: string[] = [];
  for (const text of ["a", "b", "x".repeat(10_000), "c", ...Array.from({ length: 30 }, (_, i) => `text ${i}`)]) locked.push(await lock(text));
  expect(new Set(locked.map((one) => one.split(" ")[0])).size).toBe(locked.length);
  expect(Math.max(...used.values())).toBe(1);
  expect(await pads.open(locked[2]!)).toBe("x".repeat(10_000));
  expect([pads.lock("x".repeat(70_000)), await pads.open("odd"), await pads.open("")]).toEqual([null, null, null]);
});

test("without cryptography drafts are in clear, as they are in the database then", async () => {
  const store = new SlowStore();
  const plain = (): DraftCopies => new DraftCopies("mira", null, () => storage);
  const before = new Drafts();
  await before.start(store, plain());
  before.set("s", say("typed"));
  const after = new Drafts();
  await after.start(store, plain());
  expect(after.get("s").text).toBe("typed");
});
