// Words that were kept for a question of an encrypted conversation are for the question that was shown.
import { expect, test } from "vitest";
import { type Message, setOpened } from "@hiloop/sdk/chat";
import { Drafts, type QuestionTarget, reasonName } from "../src/client/drafts";
import { aimOf } from "../src/client/target";
import { endingOf, settledText, unsentText } from "../src/views/problem-text";

/** Opened here, with this digest. */
function question(id: string, digest: string | null): Message {
  const message = { id, sessionId: "s", status: "Pending", responseRequired: true, encryptedContent: { scheme: "hiloop/v2", ciphertext: `${id} ${digest}`, wrappings: [] }, encryptedComponents: null } as unknown as Message;
  if (digest) setOpened(message, { state: "verified", digest, content: { text: `About ${digest}` }, components: { type: "approval", data: {} } } as never);
  return message;
}

function aim(questions: Message[], digest: string | null, { encryption = "sealed", signed = [] as string[] } = {}) {
  const live = {
    id: "s", encryption, earlierRequests: 0, isMine: () => false, mayNotAnswer: () => null,
    timeline: { pending: () => questions, message: (id: string) => questions.find((one) => one.id === id) },
    outbox: { of: () => [], signedFor: (one: string) => (signed.includes(one) ? {} : null) },
  } as unknown as Parameters<typeof aimOf>[0];
  const target: QuestionTarget = { kind: "answer", messageId: "q", title: "Delete the test data?", digest };
  return aimOf(live, { text: "yes, go ahead", target }, false).gone?.why ?? null;
}

test("another question under its id does not get the words, and neither does one that nothing confirms", () => {
  expect(aim([question("q", "one")], "one")).toBeNull();
  expect(aim([question("q", "two")], "one")).toBe("unconfirmed");
  expect(aim([question("q", "one")], null)).toBe("unconfirmed");
  // Not loaded, or not opened yet: it is compared before anything is sealed.
  expect([aim([], "one"), aim([question("q", null)], "one")]).toEqual([null, null]);
  expect([aim([], null), aim([], null, { encryption: "plain" })]).toEqual(["unconfirmed", null]);
});

test("a question with a signed answer takes no other words as its answer", () => {
  expect(aim([question("q", "one")], "one", { signed: ["one"] })).toBe("signed");
});

test("a reason that was begun is for the question that was shown", () => {
  const [one, two] = [question("q", "one"), question("q", "two")];
  expect([reasonName(one) === reasonName(two), reasonName(one) === reasonName(question("q", "one"))]).toEqual([false, true]);
});

test("a draft that an earlier version of the page has kept has no digest", async () => {
  const drafts = new Drafts();
  const kept = new Map([["s", { text: "yes", target: { kind: "answer", messageId: "q", title: "?" } }]]);
  await drafts.start({ drafts: async () => kept, putDraft: async () => undefined });
  expect(drafts.get("s").target).toMatchObject({ messageId: "q", digest: null });
});

test("who was faster is the hub's word until the answer is verified", () => {
  const item = { sealed: true, parent: "one", settles: true, attemptedAt: 1, content: { action: "approve" } } as never;
  const problem = { kind: "settled", status: "Completed", by: { type: "Human", id: "ada", name: "Ada" }, at: null, outcome: "Rejected" } as const;
  const asked = question("q", "one");
  const text = (settledBy: object | undefined, status: typeof problem.status | "Expired" = "Completed"): string =>
    settledText(status, endingOf(item, problem, asked, settledBy as never), () => false);
  expect(text(undefined)).toBe("The hub says that it was answered. Nothing proves that.");
  expect(text({ state: "unverified", content: null })).toBe("The hub says that it was answered. Nothing proves that.");
  expect(text(undefined, "Expired")).toBe("The hub says that its time ran out.");
  expect(text({ state: "verified", content: { action: "approve" }, author: { id: "bea", name: "Bea" } })).toBe("Bea was faster and approved it.");
  expect(settledText("Completed", endingOf({ sealed: false, parent: null } as never, problem, null, undefined), () => false)).toBe("Ada was faster and refused it.");
  expect(unsentText(item, asked)).toBe("You signed “Approve”; the hub may have it.");
});
