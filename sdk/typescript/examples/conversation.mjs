// A session that is followed live: repeats what people write, until someone presses the button.
// HILOOP_API_KEY and HILOOP_BASE_URL name the agent and the hub.
import { HiloopClient } from "@hiloop/sdk";

const client = new HiloopClient();
const session = await client.createSession({ title: "Echo" });
const stop = { type: "button_group", data: { buttons: [{ label: "Stop", action: "stop", variant: "danger" }] } };
const question = await client.send(session.id, { text: "I repeat what you write.", components: stop });
for await (const { type, data, opened } of client.events(session.id, { after: question.seq })) {
  if (type === "message.completed") break;
  if (type !== "message.created" || data.message.senderType !== "Human") continue;
  if (opened.state !== "verified") console.warn(`not trusted: ${opened.problem}`);
  else if (opened.content?.text) await client.send(session.id, `You wrote: ${opened.content.text}`);
}
await client.closeSession(session.id);
