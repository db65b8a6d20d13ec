// The search over titles and loaded messages, and the kept setting of notifications.
import { expect, test } from "vitest";
import { loadSettings, saveSettings } from "../src/client/notify-settings";
import { search, type SearchRow } from "../src/client/search";
import { MemoryStorage } from "./fakes";

const row = (sessionId: string, title: string, line = ""): SearchRow => ({ sessionId, title, line, messageId: `last-${sessionId}` });
const rows = [row("a", "Über die Änderungen", "Nothing new"), row("b", "Release 4.2", "Deploy to production?"), row("c", "Vendor", "The deploy is done")];
const text = "x".repeat(200) + " the deploy window of Tuesday " + "y".repeat(200);
const loaded = new Map([["b", [{ id: "m1", sender: "bot", text, at: "" }, { id: "m2", sender: "Mira", text: "Not on Tuesday", at: "" }]]]);

test("titles come first, then messages, the newest first; case and accents don't matter", () => {
  expect(search("UBER", rows, loaded).map(({ sessionId, messageId }) => [sessionId, messageId])).toEqual([["a", null]]);
  expect(search("tuesday", rows, loaded).map(({ messageId }) => messageId)).toEqual(["m2", "m1"]);
  expect(search("deploy", rows, loaded).map(({ messageId }) => messageId)).toEqual(["m1", "last-c"]);
});

test("every word has to occur, in any order, the sender's name included", () => {
  expect(search("tuesday mira", rows, loaded).map(({ messageId }) => messageId)).toEqual(["m2"]);
  expect(search("tuesday xylophone", rows, loaded)).toEqual([]);
});

test("a long text is cut around the first word", () => {
  const [hit] = search("window", rows, loaded);
  expect(hit?.line).toMatch(/^bot: ….*the deploy window of Tuesday.*…$/);
  expect(hit?.line.length).toBeLessThan(140);
});

test("without words it lists the conversations", () => {
  expect(search("  ", rows, loaded).map(({ sessionId }) => sessionId)).toEqual(["a", "b", "c"]);
});

test("notifications are off until switched on, by each person for themselves", () => {
  const storage = new MemoryStorage();
  const off = { desktop: false, sound: false, sealedText: false };
  expect(loadSettings(storage, "mira")).toEqual(off);
  saveSettings(storage, "mira", { ...off, desktop: true });
  expect([loadSettings(storage, "mira").desktop, loadSettings(storage, "alex").desktop]).toEqual([true, false]);
  storage.setItem("hiloop.notify.alex", "not JSON");
  expect(loadSettings(storage, "alex")).toEqual(off);
  storage.setItem("hiloop.notify.alex", '{"sealedText":"yes"}');
  expect(loadSettings(storage, "alex")).toEqual(off);
});
