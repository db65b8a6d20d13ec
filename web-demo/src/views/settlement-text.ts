// What became of a question while its answer was being written.
import { contentOf, type LiveSession, type Message, outcomeOf } from "@hiloop/sdk/chat";
import { type Ending, provenEnding, settledText } from "./problem-text";

export function settlementText(live: LiveSession, question: Message): string {
  const { status } = question;
  const isHubs = live.encryption !== "plain";
  if (status === "Expired") return `The request that you were answering has expired${isHubs ? ", as the hub says" : ""}.`;
  if (status === "Cancelled") return `The request that you were answering was withdrawn${isHubs ? ", as the hub says" : ""}.`;
  return settledText(status, endingOf(live, question), (id) => live.isOwn(id));
}

/** Where the conversation is encrypted, who answered and what is known once the answer is verified. */
function endingOf(live: LiveSession, question: Message): Ending {
  if (live.encryption !== "plain") return provenEnding(question, live.seals.settledBy(question)) ?? "hub";
  const { response } = question;
  const said = contentOf(response);
  const outcome = said?.outcome ?? (said?.action === undefined ? (response?.outcome ?? null) : outcomeOf(said.action));
  return { by: response?.respondedBy ?? null, outcome };
}
