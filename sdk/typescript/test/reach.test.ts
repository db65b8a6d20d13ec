// Who can read what, as it is shown.
import { expect, test } from "vitest";
import { setOpened } from "../src/chat/opened.js";
import { reachedBy, readersOf } from "../src/chat/reach.js";
import type { Audience } from "../src/chat/sealing.js";
import type { Message, Participant } from "../src/types.js";
import { message } from "./fakes.js";

const member = (humanId: string, addedAt = "2026-01-01T00:00:00.000Z"): Participant => ({ agentId: null, humanId, guestId: null, addedAt }) as Participant;
const ALL = [member("me"), member("ada"), member("late", "2026-06-01T00:00:00.000Z")];

function said(to: string[], state = "verified"): Message {
  const one = message(1, { createdAt: "2026-03-01T00:00:00.000Z", encryptedContent: { scheme: "hiloop/v2", ciphertext: "", wrappings: [] } });
  setOpened(one, { state, header: { to: to.map((id) => ({ id, keyId: id })) } } as never);
  return one;
}

test("a message names its readers where those are not all who took part then", () => {
  expect(readersOf(said(["me"]), ALL)).toEqual({ reached: 1, total: 2 });
  expect(readersOf(said(["ada", "me"]), ALL)).toBeNull();
  // What is not verified says nothing of its readers.
  expect(readersOf(said(["me"], "not_authenticated"), ALL)).toBeNull();
  expect(readersOf(message(2), ALL)).toBeNull();
});

test("a reply reaches those whom the message was for", () => {
  const audience = { total: 3, to: [{ id: "me" }, { id: "ada" }] } as unknown as Audience;
  expect(reachedBy(audience, null)).toEqual({ reached: 2, total: 3 });
  expect(reachedBy(audience, said(["me", "late"]))).toEqual({ reached: 1, total: 3 });
});
