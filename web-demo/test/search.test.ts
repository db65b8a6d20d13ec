// The search over titles and loaded messages, and the kept setting of notifications.
import { expect, test } from "vitest";
import { loadSettings, saveSettings } from "../src/client/notify-settings";
import type { Decision } from "../src/client/decisions";
import { search, type SearchRow } from "../src/client/search";
import { dayAndTime } from "../src/views/format";
import { MemoryStorage } from "./fakes";

const row = (sessionId: string, title: string, line = ""): SearchRow => ({ sessionId, title, line, messageId: `last-${sessionId}`, at: "2026-03-25T10:30:00.000Z" });
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

test("hits say when, and of an answer what was asked", () => {
  const texts = new Map([["b", [{ id: "m1", sender: "Mira", text: "✗ Rejected by you: Not before the audit", at: "2026-03-24T09:00:00.000Z", verdict: { about: "Raise the budget?" } }]]]);
  expect(search("audit", rows, texts)).toEqual([
    { sessionId: "b", messageId: "m1", title: "Release 4.2", line: "✗ Rejected by you: Not before the audit", about: "Raise the budget?", at: "2026-03-24T09:00:00.000Z" },
  ]);
  // By the words of the question too.
  expect(search("budget", rows, texts).map(({ messageId }) => messageId)).toEqual(["m1"]);
  expect(search("release", rows, texts).map(({ at }) => at)).toEqual(["2026-03-25T10:30:00.000Z"]);
});

const decision = (sessionId: string, messageId: string, at: string, line = "✓ Approved by Alex", about = "Ship?"): Decision => ({ sessionId, messageId, line, about, at });

test("decisions are found in conversations that were not opened, each once, the newest first", () => {
  const decisions = [decision("a", "d1", "2026-03-24T09:00:00.000Z"), decision("c", "d2", "2026-03-25T09:00:00.000Z"), decision("gone", "d3", "2026-03-25T11:00:00.000Z")];
  const texts = new Map([["b", [
    { id: "d4", sender: "Mira", text: "✓ Approved by you", at: "2026-03-23T09:00:00.000Z", verdict: { about: "Ship?" } },
    { id: "m5", sender: "Mira", text: "Ship it soon", at: "2026-03-26T09:00:00.000Z" },
  ]], ["c", [{ id: "d2", sender: "Alex", text: "✓ Approved by Alex", at: "2026-03-25T09:00:00.000Z", verdict: { about: "Ship?" } }]]]);
  const found = (query: string, onlyDecisions: boolean) => search(query, rows, texts, { decisions, onlyDecisions }).map(({ messageId }) => messageId);
  expect(found("", true)).toEqual(["d2", "d1", "d4"]);
  expect(found("you", true)).toEqual(["d4"]);
  expect(found("ship", false).sort()).toEqual(["d1", "d2", "d4", "m5"]);
});

test("thousands of loaded texts are folded once, not at each key press", () => {
  let read = 0;
  const message = (i: number) => ({ id: `m${i}`, sender: "bot", at: "", get text() { read += 1; return `entry ${i}`; } });
  const texts = new Map([["b", Array.from({ length: 2_000 }, (_, i) => message(i))]]);
  search("zebra", rows, texts);
  expect(read).toBe(2_000);
  search("zebras", rows, texts);
  expect(read).toBe(2_000);
});

test("a day is named as a person would", () => {
  const now = new Date(2026, 2, 25, 12).getTime();
  const at = (...date: [number, number, number]) => dayAndTime(new Date(...date, 14, 2).toISOString(), now);
  const clock = new Date(2026, 2, 25, 14, 2).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  expect([at(2026, 2, 25), at(2026, 2, 24)]).toEqual([clock, `Yesterday, ${clock}`]);
  expect([at(2026, 2, 3).includes("2026"), at(2025, 2, 3).includes("2025")]).toEqual([false, true]);
});
