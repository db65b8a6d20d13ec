// The example with the AI SDK's mock model, and a person in this process.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HiloopClient } from "@hiloop/sdk";
import { MockLanguageModelV4 } from "ai/test";
import { deployment } from "./approval.mjs";

const usage = { inputTokens: { total: 1 }, outputTokens: { total: 1 } };

/** Calls the tool, then says that it is done. */
function model() {
  const call = { type: "tool-call", toolCallId: "call-1", toolName: "deploy", input: JSON.stringify({ version: "4.2" }) };
  return new MockLanguageModelV4({
    doGenerate: [
      { content: [call], finishReason: { unified: "tool-calls", raw: undefined }, usage, warnings: [] },
      { content: [{ type: "text", text: "Done." }], finishReason: { unified: "stop", raw: undefined }, usage, warnings: [] },
    ],
  });
}

for (const [answers, deployed] of [
  ["approve", ["4.2"]],
  ["reject", []],
  ["expire", []],
]) {
  test(`${answers}: ${deployed.length} deployments`, async () => {
    const versions = [];
    const deploy = ({ version }) => void versions.push(version);
    await deployment({ client: HiloopClient.offline({ answers }), model: model(), deploy, prompt: "Deploy the newest version." });
    assert.deepEqual(versions, deployed);
  });
}
