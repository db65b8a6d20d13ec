// What became of a question while its answer was being written.
import { contentOf, type LiveSession, type Message, outcomeOf } from "@hiloop/sdk/chat";
import { settledText } from "./problem-text";

export function settlementText(live: LiveSession, question: Message): string {
  const { status, response } = question;
  if (status === "Expired") return "The request that you were answering has expired.";
  if (status === "Cancelled") return "The request that you were answering was withdrawn.";
  // Where the conversation is encrypted, what was decided is said by the card, once the answer is verified.
  const said = live.encryption === "plain" ? contentOf(response) : null;
  const clear = live.encryption === "plain" ? (response?.outcome ?? null) : null;
  const outcome = said?.outcome ?? (said?.action === undefined ? clear : outcomeOf(said.action));
  return settledText({ kind: "settled", status, by: response?.respondedBy ?? null, at: null, outcome }, (id) => live.isMine(byPerson(id)));
}

function byPerson(id: string | null): Message {
  return { senderType: "Human", senderHumanId: id, senderGuestId: null } as Message;
}
