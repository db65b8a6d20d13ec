#!/usr/bin/env node
// One side of a conversation for tests between languages, with the same command line in each of them:
//   peer ask --title T [--text X] --to EMAIL [--session ID] [--key K] [--deadline 60s]
//   peer follow --session ID --count N
//   peer person --email E --password P --action A [--text X] [--count N]
//   peer verify-receipt < receipt.json
// Settings: HILOOP_BASE_URL, HILOOP_API_KEY, HILOOP_AGENT_NAME, XDG_CONFIG_HOME. Needs `npm run build`.
import { parseArgs } from "node:util";
import { HiloopClient, verifyReceipt } from "@hiloop/sdk";
import { fileKeyStore } from "@hiloop/sdk/node";
import { Person } from "@hiloop/sdk/testing";

const print = (line) => console.log(JSON.stringify(line));

async function ask({ title, text, to, session, key, deadline, receipt }) {
  const client = new HiloopClient();
  const decision = await client.ask(title, { text, to, session, key, deadline });
  client.close();
  print({
    status: decision.status,
    approved: decision.approved,
    outcome: decision.outcome,
    action: decision.action,
    text: decision.text,
    values: decision.values,
    respondent: decision.respondent?.name ?? null,
    warning: decision.warning,
    session: decision.message?.sessionId ?? null,
    ...(receipt && decision.status === "answered" ? { receipt: decision.receipt() } : {}),
  });
}

async function follow({ session, count }) {
  const { WebSocket } = await import("ws");
  const client = new HiloopClient({ WebSocket });
  let left = Number(count);
  for await (const { opened } of client.events(session)) {
    if (!opened) continue;
    print({ state: opened.state, text: opened.content?.text ?? null });
    left -= 1;
    if (left === 0) break;
  }
  client.close();
}

async function person({ email, password, action, text, count = "1" }) {
  const baseUrl = process.env.HILOOP_BASE_URL ?? "http://127.0.0.1:8080";
  const one = await Person.signIn({ baseUrl, email, password, keyStore: fileKeyStore() });
  const seen = new Set();
  while (seen.size < Number(count)) {
    const question = await one.next(seen, { timeout: 120_000 });
    seen.add(question.message.id);
    await one.answer(question, { action, text });
    print({ session: question.message.sessionId, title: question.title, text: question.text, action });
  }
}

async function verify() {
  let json = "";
  for await (const part of process.stdin) json += part;
  print(await verifyReceipt(JSON.parse(json)));
}

const text = { type: "string" };
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    title: text,
    text,
    to: text,
    session: text,
    key: text,
    deadline: text,
    email: text,
    password: text,
    action: text,
    count: text,
    receipt: { type: "boolean" },
  },
});
const commands = { ask: () => ask(values), person: () => person(values), follow: () => follow(values), "verify-receipt": verify };
const command = commands[positionals[0]];
if (!command) {
  console.error("usage: peer ask | follow | person | verify-receipt");
  process.exit(2);
}
await command().catch((error) => {
  console.error(`${error.name}: ${error.code ?? ""} ${error.message}`);
  process.exit(1);
});
