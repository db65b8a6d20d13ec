// Every test vector of the scheme: what must open opens, what must be refused is refused with its reason.
import { describe, expect, test } from "vitest";
import {
  checkAnswer,
  checkedEntry,
  follows,
  makeEntry,
  offeredActions,
  paddedLength,
  type Reason,
  Refused,
  safetyNumber,
  verifyReceipt,
} from "../../src/e2e/index.js";
import { deviceOf, pairOf, type Vector, vectors } from "./vectors.js";

const { ann, bot } = vectors.identities;
const NOON = Date.parse("2026-11-27T13:30:00.000Z");

function delivery({ sender, session = vectors.session, name }: Vector) {
  return { session, sender, carrier: name };
}

describe("entries", () => {
  test.each(Object.entries(vectors.identities))("%s: the entry follows from the keys", (_, identity) => {
    expect(makeEntry(identity.id, pairOf(identity))).toEqual(identity.entry);
    expect(checkedEntry(identity.id, identity.entry)).toEqual(identity.entry);
    expect(checkedEntry(identity.id === ann.id ? bot.id : ann.id, identity.entry)).toBeNull();
  });

  test("a rotation is signed by the key before it", () => {
    const { principal, entry } = vectors.rotation;
    expect(checkedEntry(principal, entry)).toEqual(entry);
    expect(follows(principal, entry, ann.entry)).toBe(true);
    expect(follows(principal, entry, bot.entry)).toBe(false);
    expect(follows(bot.id, entry, ann.entry)).toBe(false);
  });
});

describe("good envelopes", () => {
  test.each(vectors.good.map((vector) => [vector.name, vector] as const))("%s", async (_, vector) => {
    const device = await deviceOf("bot");
    const opened = await device.open(vector.envelope, delivery(vector));
    expect(opened.plain).toEqual(vector.plain);
    expect(opened.digest).toBe(vector.digest);
  });

  test("the answer is one to its question", async () => {
    const device = await deviceOf("bot");
    const [question, , answer] = await Promise.all(vectors.good.map((vector) => device.open(vector.envelope, delivery(vector))));
    const facts = { digest: question!.digest, header: question!.header, actions: offeredActions(question!.plain.components) };
    expect(() => checkAnswer(answer!, facts, NOON)).not.toThrow();
    expect(() => checkAnswer(answer!, facts, Date.parse("2026-11-27T14:00:00.000Z"))).toThrow(new Refused("deadline"));
  });
});

const REASONS: Record<string, Reason> = {
  "old approval for another question": "other_question",
  "insider seals anew under a known content key": "ciphertext",
  "a guest's answer that the hub calls Ann's": "sender",
  "a guest who may not answer": "not_an_answerer",
  plain: "scheme",
  "wrapping dropped": "not_sealed_for_us",
  "another session": "session",
  "signature changed": "signature",
  "ciphertext changed": "ciphertext",
  "header with blanks": "header",
  "a message where an answer is due": "not_an_answer",
};

describe("bad envelopes", () => {
  test("each has an expected reason", () => {
    expect(vectors.bad.map(({ name }) => name).sort()).toEqual(Object.keys(REASONS).sort());
  });

  test.each(vectors.bad.map((vector) => [vector.name, vector] as const))("%s", async (name, vector) => {
    const device = await deviceOf("bot");
    const refusal = async (): Promise<void> => {
      const opened = await device.open(vector.envelope, delivery(vector));
      const question = vectors.good.find(({ digest }) => digest === vector.question)!;
      const asked = await device.open(question.envelope, delivery(question));
      checkAnswer(opened, { digest: asked.digest, header: asked.header, actions: offeredActions(asked.plain.components) }, NOON);
    };
    await expect(refusal()).rejects.toThrow(new Refused(REASONS[name]!));
  });
});

test("the receipt proves who decided what", async () => {
  const proof = await verifyReceipt(vectors.receipt, { keys: { [ann.id]: ann.keyId } });
  expect(proof).toMatchObject({
    session: vectors.session,
    askedBy: { id: bot.id },
    answeredBy: { id: ann.id, keyId: ann.keyId },
    question: { content: { text: "All tests pass." }, components: { data: { title: "Order pizza?" } } },
    answer: { content: { action: "approve", outcome: "Approved" }, answeredAt: "2026-11-27T13:00:00.000Z" },
  });
});

test("the safety number", () => {
  const known = vectors.safetyNumber.of.map((id) => {
    const { entry } = Object.values(vectors.identities).find((identity) => identity.id === id)!;
    return { principalId: id, keys: entry };
  });
  expect(safetyNumber(known[0]!, known[1]!)).toBe(vectors.safetyNumber.digits);
  expect(safetyNumber(known[1]!, known[0]!)).toBe(vectors.safetyNumber.digits);
});

test.each(vectors.padding)("%i bytes are padded to %i", (length, expected) => {
  expect(paddedLength(length)).toBe(expected);
});
