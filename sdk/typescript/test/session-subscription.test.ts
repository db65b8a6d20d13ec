// Opening a conversation and staying subscribed: resume, repair, a hub that went back, access that ends.
import { expect, vi } from "vitest";
import { LiveSession } from "../src/chat/live-session.js";
import { created, settle } from "./fakes.js";
import { test } from "./live-stage.js";

test("it opens 200 events before the end and loads earlier pages by HTTP", async ({ stage }) => {
  stage.head = 450;
  await stage.live.start();
  expect(stage.socket.frames("subscribe").at(-1)).toMatchObject({ sessionId: "s", after: 250 });
  stage.socket.say({ type: "subscribed", sessionId: "s", seq: 450, replay: 200, firstSeq: 1 });
  for (let seq = 251; seq <= 450; seq += 1) stage.socket.say({ type: "event", event: created(seq) });
  expect(stage.live.phase).toBe("ready");
  await stage.live.loadOlder();
  await stage.live.loadOlder();
  expect(stage.calls.filter((call) => call.path.endsWith("/timeline")).map((call) => [call.query.get("after"), call.query.get("limit")])).toEqual([
    ["50", "200"],
    ["0", "50"],
  ]);
  expect(stage.live.timeline.first).toBe(1);
  expect(stage.live.hasOlder).toBe(false);
});

test("after a lost connection it resumes where it stood, and takes nothing twice", async ({ stage }) => {
  await stage.open();
  stage.socket.drop(4503);
  await vi.advanceTimersByTimeAsync(500);
  stage.socket.hello();
  expect(stage.socket.frames("subscribe").at(-1)).toMatchObject({ after: 3 });
  for (const seq of [3, 4, 4, 5]) stage.socket.say({ type: "event", event: created(seq) });
  expect(stage.live.timeline.entries().map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5]);
});

test("a hole makes it subscribe again, once", async ({ stage }) => {
  await stage.open();
  for (const seq of [5, 6]) stage.socket.say({ type: "event", event: created(seq) });
  expect(stage.socket.frames("unsubscribe")).toHaveLength(1);
  expect(stage.socket.frames("subscribe").at(-1)).toMatchObject({ after: 3 });
  stage.socket.say({ type: "subscribed", sessionId: "s", seq: 6, replay: 3, firstSeq: 1 });
  for (const seq of [4, 5, 6]) stage.socket.say({ type: "event", event: created(seq) });
  expect(stage.live.timeline.last).toBe(6);
});

test("a hub whose history is shorter than what is known starts it anew", async ({ stage }) => {
  await stage.open();
  stage.socket.say({ type: "subscribed", sessionId: "s", seq: 1, replay: 0, firstSeq: 1 });
  expect(stage.live.timeline.isEmpty).toBe(true);
  expect(stage.socket.frames("subscribe").at(-1)).toMatchObject({ after: 0 });
});

test("opening is tried again by itself after a refusal that may pass", async ({ stage }) => {
  stage.sessionStatus = 503;
  const starting = stage.live.start();
  // The call itself is repeated three times first.
  await vi.advanceTimersByTimeAsync(2_800);
  await starting;
  expect([stage.live.phase, stage.live.retriesAt !== null]).toEqual(["failed", true]);
  stage.sessionStatus = 200;
  await vi.advanceTimersByTimeAsync(1_000);
  await settle();
  expect([stage.live.phase, stage.live.retriesAt, stage.live.session?.id]).toEqual(["loading", null, "s"]);
  stage.sessionStatus = 404;
  const other = new LiveSession("other", stage.rest, stage.hub, () => false);
  await other.start();
  expect([other.phase, other.retriesAt]).toEqual(["failed", null]);
});

test("a store that went back makes it drop what it has, and read the session anew", async ({ stage }) => {
  await stage.open();
  stage.head = 2;
  stage.socket.say({ type: "unsubscribed", sessionId: "s", reason: "reset" });
  expect(stage.live.timeline.isEmpty).toBe(true);
  await settle();
  expect(stage.socket.frames("unsubscribe")).toHaveLength(0);
  expect(stage.socket.frames("subscribe").at(-1)).toMatchObject({ sessionId: "s", after: 0 });
  stage.socket.say({ type: "subscribed", sessionId: "s", seq: 2, replay: 2, firstSeq: 1 });
  for (const seq of [1, 2]) stage.socket.say({ type: "event", event: created(seq) });
  expect([stage.live.phase, stage.live.timeline.last]).toEqual(["ready", 2]);
});

test("a subscription that begins with a reset takes the replay in place of what it had", async ({ stage }) => {
  await stage.open();
  stage.socket.drop(4503);
  await vi.advanceTimersByTimeAsync(500);
  stage.socket.hello();
  stage.head = 2;
  stage.socket.say({ type: "subscribed", sessionId: "s", seq: 2, replay: 2, firstSeq: 1, reset: true });
  for (const seq of [1, 2]) stage.socket.say({ type: "event", event: created(seq, { id: `new${seq}` }) });
  expect(stage.live.timeline.entries().map((entry) => entry.seq)).toEqual([1, 2]);
  expect(stage.live.timeline.message("m1")).toBeUndefined();
  expect(stage.live.phase).toBe("ready");
});

test("access that was taken away ends it, with the reason in words", async ({ stage }) => {
  await stage.open();
  stage.socket.say({ type: "unsubscribed", sessionId: "s", reason: "removed" });
  expect([stage.live.phase, stage.live.error]).toEqual(["failed", "You no longer see this conversation (you were removed from it)."]);
});

test("what was kept is shown once the session is known, and the next connection goes on after it", async ({ stage }) => {
  const kept = [created(2), created(3)];
  stage.live.showKept(kept);
  expect(stage.live.timeline.isEmpty).toBe(true);
  stage.head = 5;
  stage.socket.drop(1006);
  await stage.live.start();
  stage.live.showKept(kept);
  expect([stage.live.phase, stage.live.timeline.first, stage.live.timeline.last]).toEqual(["ready", 2, 3]);
  await vi.advanceTimersByTimeAsync(1_000);
  stage.socket.hello();
  expect(stage.socket.frames("subscribe").at(-1)).toMatchObject({ after: 3 });
  stage.socket.say({ type: "subscribed", id: 1, sessionId: "s", seq: 5, replay: 2, firstSeq: 1 });
  for (const seq of [4, 5]) stage.socket.say({ type: "event", event: created(seq) });
  expect(stage.live.timeline.entries().map(({ seq }) => seq)).toEqual([2, 3, 4, 5]);
  // Too late: the hub has answered.
  stage.live.showKept([created(9)]);
  expect(stage.live.timeline.last).toBe(5);
});
