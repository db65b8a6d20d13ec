// Several processes that ask one question at once, while the hub is killed: one question, one answer.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { encrypted as test } from "./cast.js";
import { until } from "./until.js";

const PEER = fileURLToPath(new URL("../interop/peer.mjs", import.meta.url));

/** A process that asks a question, and prints its decision. */
async function decisionOf(args: string[], env: Record<string, string>): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [PEER, "ask", ...args], { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.on("data", (part: Buffer) => (printed += part.toString()));
  await once(child, "close");
  return JSON.parse(printed) as Record<string, unknown>;
}

test(
  "five processes that ask at once are one question, and a hub that is killed meanwhile changes nothing",
  { timeout: 300_000 },
  async ({ hub, key, alex }) => {
    const env = { HILOOP_BASE_URL: hub.base, HILOOP_API_KEY: key, XDG_CONFIG_HOME: hub.folder("peers") };
    const args = ["--title", "Ship together?", "--to", alex.email, "--key", "together"];
    const decisions = Promise.all(Array.from({ length: 5 }, () => decisionOf(args, env)));
    const question = await until("the question is asked", async () =>
      (await alex.pending()).find(({ title }) => title === "Ship together?"),
    );
    await hub.crash();
    await alex.answer(question, { action: "reject" });
    expect((await decisions).map(({ approved }) => approved)).toEqual([false, false, false, false, false]);
    const { data } = await hub.client().messages(question.message.sessionId, { pageSize: 100 });
    expect(data.filter(({ responseRequired }) => responseRequired)).toHaveLength(1);
  },
);
