// A tool call of the Vercel AI SDK that a person approves: toolApproval asks through the hub, end to end encrypted.
// HILOOP_API_KEY and HILOOP_BASE_URL name the agent and the hub.
import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";

/** Deploys what the model wants to deploy, if a person approves it. */
export function deployment({ client, model, deploy, prompt }) {
  return generateText({
    model,
    prompt,
    stopWhen: stepCountIs(5),
    tools: {
      deploy: tool({ description: "Deploys a version", inputSchema: z.object({ version: z.string() }), execute: deploy }),
    },
    toolApproval: {
      deploy: async ({ version }, { toolCallId }) => {
        // The key of the question: a run that is resumed after a crash asks nothing twice.
        const decision = await client.ask(`Deploy ${version}?`, { text: prompt, deadline: "1h", key: `deploy-${toolCallId}` });
        if (decision.approved) return "approved";
        return { type: "denied", reason: decision.text ?? `No person approved it: ${decision.status}` };
      },
    },
  });
}
