// Parts of the administration and the settings without a view: what a key made, the filter of the audit log, the space
// key in the browser, names of devices.
import { expect, test } from "vitest";
import type { ApiKey, AuditEntry } from "@hiloop/sdk/manage";
import { SpaceKeySetting } from "../src/client/space-key";
import { eventText, NO_FILTER, passesFilter, targetText } from "../src/views/admin/audit-words";
import { deviceName } from "../src/views/settings/device-name";
import { madeWith } from "../src/views/admin/key-family";
import { MemoryStorage } from "./fakes";

const key = (id: string, by: string | null): ApiKey => ({ id, createdBy: by === null ? null : { type: "Agent", id: "a", name: "a", keyId: by } }) as ApiKey;

test("what a key made: directly and through others, a circle included", () => {
  const keys = [key("root", null), key("child", "root"), key("grandchild", "child"), key("other", "else"), key("loop", "grandchild"), key("child-2", "root")];
  expect(madeWith("root", keys).map(({ id }) => id).sort()).toEqual(["child", "child-2", "grandchild", "loop"]);
  expect(madeWith("other", keys)).toEqual([]);
  const circle = [key("a", "b"), key("b", "a")];
  expect(madeWith("a", circle).map(({ id }) => id)).toEqual(["b"]);
});

const entry = (fields: Partial<AuditEntry> = {}): AuditEntry => ({
  id: "e", at: "2026-03-25T10:30:00.000Z", event: "key.created", actor: { type: "Human", id: "h-1", name: "Mira Okafor", keyId: null },
  target: { type: "Key", id: "k-1", name: "manage", attempts: null }, origin: "192.0.2.7", requestId: "r", outcome: "success", ...fields,
});

test("the filter finds entries by event, and by names and ids of those concerned", () => {
  expect(passesFilter(entry(), NO_FILTER)).toBe(true);
  expect(passesFilter(entry(), { event: "key.created", who: "okafor" })).toBe(true);
  expect(passesFilter(entry(), { event: "key.revoked", who: "" })).toBe(false);
  for (const who of ["h-1", "K-1", "192.0.2", " manage "]) expect([who, passesFilter(entry(), { event: "", who })]).toEqual([who, true]);
  expect(passesFilter(entry({ actor: null, target: null, origin: null }), { event: "", who: "mira" })).toBe(false);
});

test("entries in words, unknown events and types as they are", () => {
  expect([eventText("key.created"), eventText("moon.landed")]).toEqual(["API key created", "moon.landed"]);
  expect(targetText(entry())).toBe("API key (manage)");
  expect(targetText(entry({ target: { type: "Human", id: "h", name: null, attempts: 4 } }))).toBe("person h, 4 attempts within a minute");
  expect(targetText(entry({ target: { type: "Comet", id: null, name: null, attempts: null } }))).toBe("Comet");
  expect(targetText(entry({ target: null }))).toBeNull();
});

test("the space key is one person's own, kept with its space, and a damaged one counts as none", () => {
  const storage = new MemoryStorage();
  const setting = new SpaceKeySetting("mira", storage);
  expect(setting.value).toBeNull();
  setting.set({ spaceId: "s", publicKey: "k" });
  expect(new SpaceKeySetting("mira", storage).value).toEqual({ spaceId: "s", publicKey: "k" });
  expect(new SpaceKeySetting("alex", storage).value).toBeNull();
  setting.set(null);
  expect(new SpaceKeySetting("mira", storage).value).toBeNull();
  for (const text of ["{", "5", '{"spaceId":5,"publicKey":"k"}', "null"]) {
    storage.setItem("hiloop.space-key.mira", text);
    expect(new SpaceKeySetting("mira", storage).value).toBeNull();
  }
});

test.each([
  ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"],
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36 Edg/138.0.0.0", "Edge on Windows"],
  ["Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Mobile Safari/537.36", "Chrome on Android"],
  ["curl/8.14", "curl/8.14"],
  ["<b>Firefox</b> on the moon", "<b>Firefox</b> on the moon"],
  [null, "Unknown device"],
])("a device by the name that people give it: %s", (userAgent, name) => expect(deviceName(userAgent)).toBe(name));
