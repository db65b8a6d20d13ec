// The files of keys and pins: one winner among processes, readable by the user alone.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KeyPair } from "../../src/e2e/index.js";
import { configFolder, FileKeyStore, fileName } from "../../src/node/index.js";

const HUB = "http://127.0.0.1:8080";
const AGENT = "01a21d32-c9a2-705b-aa40-78a2c9520200";
const ANN = "01a21d32-c970-743d-b0b5-651d39807841";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hiloop-keys-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = () => new FileKeyStore(folder, HUB, AGENT);
const fresh = () => ({ secretKey: KeyPair.generate().secret(), createdAt: "2026-01-01T00:00:00.000Z", earlier: [] });

test("of several processes that make keys one wins, and all use its keys", async () => {
  const all = await Promise.all(Array.from({ length: 8 }, () => open().createKeys(fresh())));
  expect(new Set(all.map(({ secretKey }) => secretKey)).size).toBe(1);
  expect(await open().loadKeys()).toEqual(all[0]);
  expect(readdirSync(join(folder, "keys"))).toEqual([`${fileName(HUB, AGENT)}.json`]);
});

test("the files are the user's alone, and name hub and agent", async () => {
  const store = open();
  await store.createKeys(fresh());
  expect(statSync(store.path).mode & 0o777).toBe(0o600);
  expect(statSync(join(folder, "keys")).mode & 0o777).toBe(0o700);
  expect(JSON.parse(readFileSync(store.path, "utf8"))).toMatchObject({ hub: HUB, agentId: AGENT, earlier: [] });
});

test("the first pin stands until it is replaced", async () => {
  const pin = (text: string) => ({ principalId: ANN, keyId: text, publicKey: text, signingKey: text, pinnedAt: "x", earlier: [] });
  expect(await open().loadPin(ANN)).toBeNull();
  expect((await open().createPin(pin("a"))).keyId).toBe("a");
  expect((await open().createPin(pin("b"))).keyId).toBe("a");
  await open().replacePin(pin("c"));
  expect((await open().loadPin(ANN))?.keyId).toBe("c");
  await expect(open().loadPin("../x")).rejects.toThrow("UUID");
});

test("a damaged file is an error, never a new key", async () => {
  const store = open();
  await store.createKeys(fresh());
  writeFileSync(store.path, "{");
  await expect(open().loadKeys()).rejects.toThrow("damaged");
});

test("the folder follows the platform's convention", () => {
  expect(configFolder({ XDG_CONFIG_HOME: "/x" })).toBe("/x/hiloop");
  expect(configFolder({ XDG_CONFIG_HOME: "relative" })).toMatch(/\.config\/hiloop$/);
});

test("temporary files of processes that were killed go, those of others stay", async () => {
  const keys = join(folder, "keys");
  mkdirSync(keys);
  for (const name of ["old", "new"]) writeFileSync(join(keys, `a.json.1.${name}.tmp`), "{");
  const before = new Date(Date.now() - 3_600_000);
  utimesSync(join(keys, "a.json.1.old.tmp"), before, before);
  await open().createKeys(fresh());
  expect(readdirSync(keys).sort()).toEqual([`${fileName(HUB, AGENT)}.json`, "a.json.1.new.tmp"].sort());
});

test("a key file that other users may read is a warning, once", async () => {
  const store = open();
  await store.createKeys(fresh());
  const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  await store.loadKeys();
  expect(warn).not.toHaveBeenCalled();
  chmodSync(store.path, 0o644);
  await store.loadKeys();
  await store.loadKeys();
  expect(warn.mock.calls).toEqual([[expect.stringContaining("chmod 600"), "HiloopWarning"]]);
  warn.mockRestore();
});
