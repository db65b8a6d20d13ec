// The offline mode: no hub, real keys and envelopes.
import { expect, test } from "vitest";
import { HiloopClient, verifyReceipt } from "../src/index.js";

test("a person in this process approves, rejects, or lets the question expire", async () => {
  const approved = await HiloopClient.offline().ask("Ship it?", { to: "reviewer@example.org", text: "All green." });
  expect(approved).toMatchObject({ status: "answered", approved: true, action: "approve" });
  expect(await verifyReceipt(approved.receipt())).toMatchObject({ question: { content: { text: "All green." } } });
  expect(await HiloopClient.offline({ answers: "reject" }).ask("Ship it?")).toMatchObject({ approved: false, rejected: true });
  expect(await HiloopClient.offline({ answers: "expire" }).ask("Ship it?", { deadline: "1h" })).toMatchObject({
    status: "expired",
    approved: false,
  });
});

test("a function sees the question and answers it", async () => {
  const client = HiloopClient.offline({
    answers: ({ title }) => (title === "How many?" ? { values: { count: 4 } } : { action: "blue" }),
  });
  expect((await client.ask("How many?", { form: [{ name: "count", type: "number" }] })).values).toEqual({ count: 4 });
  expect((await client.ask("Which?", { choices: ["red", "blue"] })).action).toBe("blue");
});

test("sessions, messages and the timeline work offline", async () => {
  const client = HiloopClient.offline({ answers: { action: "go" } });
  const session = await client.createSession({ title: "Deploy" });
  expect(await client.titleOf(await client.getSession(session.id))).toBe("Deploy");
  await client.send(session.id, { components: [{ type: "button_group", data: { buttons: [{ label: "Go", action: "go" }] } }] });
  expect((await client.awaitResponse(session.id)).response).toBe("go");
  const { data } = await client.timeline(session.id);
  expect(data.map(({ type }) => type)).toContain("message.completed");
  expect(data.flatMap(({ opened }) => (opened ? [opened.state] : []))).toEqual(["verified", "verified"]);
});

test("the same key is the same question, without encryption too", async () => {
  let asked = 0;
  for (const encryption of ["required", "off"] as const) {
    const client = HiloopClient.offline({ encryption, answers: () => ((asked += 1), "approve") });
    const one = await client.ask("Once?", { key: "once" });
    const two = await client.ask("Once?", { key: "once" });
    expect([two.approved, two.message?.id]).toEqual([true, one.message?.id]);
  }
  expect(asked).toBe(2);
});
