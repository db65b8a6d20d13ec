// The built package, as a program imports it.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "vitest";
import { test } from "./cast.js";

test("the built package is what its exports say, and a program that uses it ends by itself", async ({ hub }) => {
  const program = `
    import { HiloopClient, HiloopError } from "@hiloop/sdk";
    import { Rest, LiveSession, HubSocket } from "@hiloop/sdk/chat";
    const client = new HiloopClient({ apiKey: process.env.KEY, agentName: "built-bot", encryption: "off", baseUrl: process.env.HUB });
    const session = await client.createSession({ title: "Built" });
    for await (const event of client.events(session.id)) { console.log(event.type); break; }
    console.log([HiloopClient, HiloopError, Rest, LiveSession, HubSocket].map((one) => one.name).join(" "));
  `;
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", program], {
    cwd,
    env: { ...process.env, KEY: hub.key, HUB: hub.base },
    timeout: 30_000,
  });
  expect(stdout).toBe("session.created\nHiloopClient HiloopError Rest LiveSession HubSocket\n");
});
