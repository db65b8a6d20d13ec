// Questions: ids that follow from a key in every language, deadlines, buttons, forms and their values.
import { expect, test } from "vitest";
import { checkedValues, type FormField, formIn, formNode } from "../src/agent/form.js";
import { deadlineOf, questionOf } from "../src/agent/question.js";
import { QuestionKey, uuid7 } from "../src/agent/question-key.js";
import { KeyPair } from "../src/e2e/index.js";
import type { ComponentNode } from "../src/types.js";

const AGENT = "01a21d32-c9a2-705b-aa40-78a2c9520200";
const NOW = 1_774_432_200_000;
const HOUR = 3_600_000;

test("a key gives the ids that the clients in other languages derive from it", () => {
  const key = new QuestionKey(AGENT, null, "deploy-4.2");
  expect(key.mark).toBe("679bd3ff62bc12694da5a2c852e50090");
  expect(key.session(NOW)).toBe("019d2770-d800-7785-a558-e15657a6b13e");
  expect(key.sessions(NOW)).toEqual([
    "019d2770-d800-7785-a558-e15657a6b13e",
    "019d2f2a-6200-7785-a558-e15657a6b13e",
    "019d1fb7-4e00-7785-a558-e15657a6b13e",
    "019d17fd-c400-7785-a558-e15657a6b13e",
    "019d1044-3a00-7785-a558-e15657a6b13e",
    "019d088a-b000-7785-a558-e15657a6b13e",
    "019d00d1-2600-7785-a558-e15657a6b13e",
  ]);
  const other = new QuestionKey(AGENT, "01a21d32-ca28-752f-a6ac-925e2f4dcabb", "Größe");
  expect(other.idempotencyKey).toBe("question-41b527a335de3344446e77260710bb96");
});

test("where the agent encrypts, the ids follow from its private keys too", () => {
  const secret = Buffer.from(Array.from({ length: 64 }, (_, i) => i)).toString("base64url");
  const key = new QuestionKey(AGENT, null, "deploy-4.2", KeyPair.from(secret));
  expect(key.mark).toBe("2718071f88c21f5df2729fa0757662b7");
  expect(key.session(NOW)).not.toBe(new QuestionKey(AGENT, null, "deploy-4.2").session(NOW));
});

test("a session is found for a week, and its id is of version 7 and within a day", () => {
  const key = new QuestionKey(AGENT, null, "deploy");
  const opened = key.session(NOW);
  for (let hours = -12; hours <= 7 * 24; hours += 1) expect(key.sessions(NOW + hours * HOUR)).toContain(opened);
  for (let hours = 0; hours < 100; hours += 1) {
    const id = key.session(NOW + hours * HOUR);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Math.abs(Number.parseInt(id.slice(0, 13).replace("-", ""), 16) - NOW - hours * HOUR)).toBeLessThanOrEqual(18 * HOUR);
  }
  expect(uuid7(NOW)).not.toBe(uuid7(NOW));
});

test("deadlines", () => {
  expect(deadlineOf(undefined, NOW)).toBeNull();
  for (const deadline of ["30m", 1_800, new Date(NOW + 1_800_000), "2026-03-25T10:20:00Z"]) {
    expect(deadlineOf(deadline, NOW)).toBe("2026-03-25T10:20:00.000Z");
  }
  expect(deadlineOf("1.5h", NOW)).toBe("2026-03-25T11:20:00.000Z");
  for (const bad of ["soon", "", -5, "0s"]) expect(() => deadlineOf(bad, NOW)).toThrow("'deadline'");
});

test("a question is an approval unless it has components of its own, which its title stands above", () => {
  expect(questionOf("Ship?", { text: "Green." })).toMatchObject({
    text: "Green.",
    components: { type: "approval", data: { title: "Ship?" } },
  });
  const chosen = questionOf("Which?", { choices: ["A", { label: "B", action: "b", variant: "danger", confirm: "Sure?" }] }).components;
  expect(chosen).toEqual({
    type: "group",
    data: { title: "Which?" },
    children: [
      {
        type: "button_group",
        data: {
          buttons: [
            { label: "A", action: "A", variant: "secondary" },
            { label: "B", action: "b", variant: "danger", confirm: "Sure?" },
          ],
        },
      },
    ],
  });
  const own: ComponentNode = { type: "approval", data: { title: "Mine" } };
  expect(questionOf("Ship?", { components: own }).components).toEqual(own);
  expect(() => questionOf("?", { choices: ["A"], form: [] })).toThrow("excludes");
});

test("a JSON Schema of flat fields becomes a form", () => {
  const form = formNode({
    properties: {
      name: { type: "string", title: "Name", maxLength: 500 },
      count: { type: "integer", minimum: 1, maximum: 9, default: 2 },
      tier: { type: "string", enum: ["small", "large"] },
      regions: { type: "array", items: { enum: ["eu", "us"] } },
      day: { type: "string", format: "date" },
    },
    required: ["count"],
  });
  expect(form.data).toEqual({
    fields: [
      { name: "name", label: "Name", type: "textarea", maxLength: 500 },
      { name: "count", label: "count", type: "number", required: true, integer: true, min: 1, max: 9, value: 2 },
      { name: "tier", label: "tier", type: "select", options: ["small", "large"].map((value) => ({ value, label: value })) },
      { name: "regions", label: "regions", type: "multiselect", options: ["eu", "us"].map((value) => ({ value, label: value })) },
      { name: "day", label: "day", type: "date" },
    ],
  });
  expect(formIn({ type: "group", data: {}, children: [form] })).toHaveLength(5);
  expect(() => formNode({ properties: { nested: { type: "object" } } })).toThrow("flat");
  expect(() => formNode([{ name: "x", type: "color" as "text" }])).toThrow("known type");
});

test("values come back in their types, or not at all", () => {
  const fields: FormField[] = [
    { name: "count", type: "number", integer: true, min: 1, required: true },
    { name: "tier", type: "select", options: [{ value: "a", label: "A" }] },
    { name: "tags", type: "multiselect", options: [{ value: "x", label: "X" }] },
    { name: "sure", type: "checkbox" },
    { name: "mail", type: "email" },
    { name: "site", type: "url" },
    { name: "day", type: "date" },
    { name: "note", maxLength: 3 },
  ];
  const good = {
    count: "4",
    tier: "a",
    tags: ["x"],
    sure: false,
    mail: "a@b",
    site: "https://x.example",
    day: "2026-03-25",
    note: "abc",
  };
  expect(checkedValues(fields, good)).toEqual({ ...good, count: 4 });
  expect(checkedValues(fields, { count: 1, tags: [], note: "" })).toEqual({ count: 1, tags: [] });
  expect(checkedValues(fields, { count: 1, other: 2, note: "😀😀😀" })).toEqual({ count: 1, note: "😀😀😀" });
  const bad: [Record<string, unknown>, string][] = [
    [{}, "'count' is required"],
    [{ count: 0 }, "less than 1"],
    [{ count: 1.5 }, "whole"],
    [{ count: "many" }, "no number"],
    [{ count: 1, tier: "b" }, "options"],
    [{ count: 1, tags: "x" }, "list"],
    [{ count: 1, sure: "yes" }, "true nor false"],
    [{ count: 1, mail: "nobody" }, "e-mail"],
    [{ count: 1, site: "javascript:alert(1)" }, "URL"],
    [{ count: 1, day: "25.3.2026" }, "date"],
    [{ count: 1, note: "abcd" }, "longer"],
    [{ count: "0x10" }, "no number"],
    [{ count: "9".repeat(400) }, "no number"],
    [{ count: 1, day: "2026-02-30" }, "date"],
  ];
  for (const [values, problem] of bad) expect(() => checkedValues(fields, values)).toThrow(problem);
});
