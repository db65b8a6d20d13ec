// Several processes that ask one question at once, while the hub is killed: one question, one answer.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Message } from "../src/index.js";
import type { Person } from "../src/testing/index.js";
import { Hub, until } from "./hub.js";

const PEER = fileURLToPath(new URL("../interop/peer.mjs", import.meta.url));

let hub: Hub;
let key: string;
let alex: Person & { email: string };
let config: string;

beforeAll(async () => {
  hub = await Hub.start();
  key = await hub.agentKey("deploy-bot");
  alex = await hub.encryptingPerson("Alex");
  config = mkdtempSync(join(tmpdir(), "hiloop-crash-"));
});

afterAll(async () => {
  rmSync(config, { recursive: true, force: true });
  await hub?.stop();
});

/** A process that asks a question of this key, and prints its decision. */
function ask(name: string): { child: ChildProcess; decision: Promise<Record<string, unknown>> } {
  const env = { ...process.env, HILOOP_BASE_URL: hub.base, HILOOP_API_KEY: key, XDG_CONFIG_HOME: config };
  const child = spawn(process.execPath, [PEER, "ask", "--title", `Ship ${name}?`, "--to", alex.email, "--key", name], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.on("data", (part: Buffer) => (printed += part.toString()));
  const decision = once(child, "close").then(() => JSON.parse(printed) as Record<string, unknown>);
  decision.catch(() => undefined);
  return { child, decision };
}

async function questions(sessionId: string): Promise<Message[]> {
  return (await hub.client().messages(sessionId, { pageSize: 100 })).data.filter(({ responseRequired }) => responseRequired);
}

test(
  "five processes that ask at once are one question, and a hub that is killed meanwhile changes nothing",
  { timeout: 120_000 },
  async () => {
    const all = Array.from({ length: 5 }, () => ask("together"));
    const question = await until("the question is asked", async () =>
      (await alex.pending()).find(({ title }) => title === "Ship together?"),
    );
    await hub.kill();
    await hub.restart();
    await alex.answer(question, { action: "reject" });
    const decisions = await Promise.all(all.map(({ decision }) => decision));
    expect(decisions.map(({ approved }) => approved)).toEqual([false, false, false, false, false]);
    expect(await questions(question.message.sessionId)).toHaveLength(1);
  },
);
