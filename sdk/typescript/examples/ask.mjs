// Asks people whether to deploy, and waits for the answer: node examples/ask.mjs "Ship 4.2?" [reviewer@example.org]
//
// HILOOP_API_KEY is an agent's key, HILOOP_BASE_URL the hub. Stop it and start it again while it waits: the same title
// is the same question.
import { HiloopClient } from "@hiloop/sdk";

const [title = "Ship 4.2 to production?", to] = process.argv.slice(2);
const client = new HiloopClient();
const decision = await client.ask(title, {
  to,
  key: title,
  deadline: "1h",
  onRemark: ({ from, text }) => console.log(`${from}: ${text}`),
});
if (decision.approved) console.log(`${decision.respondent?.name} approved`);
else if (decision.status === "answered") console.log(`${decision.respondent?.name} did not approve`);
else console.log(`no answer: ${decision.status}`);
