// What a conversation is called where several sources may name it.
import { textOf } from "./envelope";
import type { Agent, Message, Participant, Session } from "./types";

interface Hints {
  agents?: readonly Agent[];
  participants?: readonly Participant[];
  lastMessage?: Message | null;
}

export function sessionTitle(session: Session, { agents = [], participants = [], lastMessage }: Hints): string {
  const given = session.title ?? textOf(session.encryptedTitle);
  if (given !== null && given.trim() !== "") return given;
  const names = participants.filter((one) => one.type === "Agent" && one.name).map((one) => one.name as string);
  if (names.length > 0) return names.join(", ");
  const agent = agents.find((one) => one.id === session.createdByAgentId)?.name;
  if (agent) return agent;
  if (lastMessage?.senderType === "Agent" && lastMessage.senderName) return lastMessage.senderName;
  return session.encryptedTitle ? "Encrypted conversation" : "Conversation";
}

/** One line that stands for a message in a list. */
export function preview(message: Message | null): string {
  if (!message) return "No messages yet";
  const { encryptedContent, encryptedComponents } = message;
  const text = textOf(encryptedContent);
  if (text !== null && text.trim() !== "") return text.replace(/[*_`#>~]+/g, "").replace(/\s+/g, " ").trim().slice(0, 160);
  if (encryptedContent?.scheme === "plain" && message.inReplyTo) return "Answered a request";
  if (encryptedComponents?.scheme === "plain") return message.responseRequired ? "Asks for an answer" : "Sent a card";
  if (encryptedContent?.scheme === "plain") return "Sent a message";
  return "Encrypted message";
}
