// The session of an open conversation: what its events change, and when it is read again.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { isSettlement, SessionRecord } from "../src/chat/session-record.js";
import type { Session } from "../src/types.js";
import { created, event } from "./fakes.js";

let atHub: Session;
let reads: number;
let changes: number;
let record: SessionRecord;

beforeEach(async () => {
  vi.useFakeTimers();
  atHub = { id: "s", status: "Active", lastSeq: 10, pendingCount: 1, title: "T" } as Session;
  [reads, changes] = [0, 0];
  const session = async (): Promise<Session> => {
    reads += 1;
    return atHub;
  };
  record = new SessionRecord("s", { session, closeSession: async () => ({ ...atHub, status: "Closed" }) }, () => (changes += 1));
  await record.read();
});

afterEach(() => {
  record.dispose();
  vi.useRealTimers();
});

const RELOADED = 1_000;
const question = (seq: number) => created(seq, { responseRequired: true, status: "Pending" });

test("events after the state that was read count, and none twice", () => {
  for (const one of [question(9), question(10), question(11), question(11), created(12)]) record.follow(one);
  expect(record.session).toMatchObject({ lastSeq: 12, pendingCount: 2 });
  for (const type of ["message.completed", "message.cancelled", "message.expired"]) record.follow(event(record.session!.lastSeq + 1, type));
  // Never below none, whatever a hub sends.
  expect(record.session).toMatchObject({ lastSeq: 15, pendingCount: 0 });
  expect([isSettlement(event(1, "message.expired")), isSettlement(question(1))]).toEqual([true, false]);
});

test("a closed conversation is closed at once, and changes that come together are read once", async () => {
  atHub = { ...atHub, lastSeq: 13, title: "New" };
  record.follow(event(11, "session.updated"));
  record.follow(event(12, "session.closed"));
  expect([record.session?.status, record.session?.title]).toEqual(["Closed", "T"]);
  await vi.advanceTimersByTimeAsync(RELOADED);
  expect([reads, changes, record.session?.title]).toEqual([2, 1, "New"]);
});

test("a state that is older than its events does not replace it, unless the database was restored", async () => {
  record.follow(event(11, "session.updated"));
  await vi.advanceTimersByTimeAsync(RELOADED);
  expect(record.session?.lastSeq).toBe(11);
  record.reload(true);
  await vi.advanceTimersByTimeAsync(RELOADED);
  expect(record.session?.lastSeq).toBe(10);
});

test("nothing is read after it was disposed of", async () => {
  record.reload();
  record.dispose();
  await vi.advanceTimersByTimeAsync(RELOADED);
  expect(reads).toBe(1);
});
