// What a conversation is called where several sources may name it.
import { open, type Opened } from "../envelope.js";
import type { Agent, Message, Participant, Session } from "../types.js";
import { contentOf, isSealedByScheme, isUnchecked, isUnproven, openedOf, titleTextOf } from "./opened.js";

interface Hints {
  agents?: readonly Agent[];
  participants?: readonly Participant[];
  lastMessage?: Message | null;
}

export function sessionTitle(session: Session, { agents = [], participants = [], lastMessage }: Hints): string {
  const given = titleTextOf(session);
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
  // Nothing of it, as if it had been written by whom the hub names.
  if (isUnproven(message)) return isUnchecked(message.sessionId) && openedOf(message)?.state !== "not_authenticated" ? "Being checked" : "Not authenticated";
  const { encryptedContent, encryptedComponents } = message;
  const text = contentOf(message)?.text ?? null;
  if (text !== null && text.trim() !== "") return oneLine(text);
  const opened = isSealedByScheme(encryptedContent) ? openedOf(message) : undefined;
  if (opened?.state === "verified") {
    if (opened.header ? opened.header.kind === "answer" : message.inReplyTo) return "Answered a request";
    const words = firstWords(opened.components, 0);
    if (words !== null || opened.components) return words ?? (message.responseRequired ? "Asks for an answer" : "Sent a card");
    return "Shared the history";
  }
  if (encryptedContent?.scheme === "plain" && message.inReplyTo) return "Answered a request";
  const headline = encryptedComponents ? headlineOf(open(encryptedComponents)) : null;
  if (headline !== null) return headline;
  if (encryptedComponents?.scheme === "plain") return message.responseRequired ? "Asks for an answer" : "Sent a card";
  if (encryptedContent?.scheme === "plain") return "Sent a message";
  return "Encrypted message";
}

/** The first thing that a tree of components says in words. */
function headlineOf(opened: Opened): string | null {
  return opened.kind === "json" ? firstWords(opened.value, 0) : null;
}

function firstWords(value: unknown, depth: number): string | null {
  if (typeof value !== "object" || value === null || depth > 8) return null;
  const nodes = Array.isArray(value) ? value : ((value as { children?: unknown }).children ?? []);
  const { data } = value as { data?: Record<string, unknown> | null };
  for (const field of ["title", "content", "label"]) {
    const words = data?.[field];
    if (typeof words === "string" && words.trim() !== "") return oneLine(words);
  }
  for (const node of Array.isArray(nodes) ? nodes : []) {
    const words = firstWords(node, depth + 1);
    if (words !== null) return words;
  }
  return null;
}

function oneLine(markdown: string): string {
  return markdown.slice(0, 400).replace(/[*_`#>~]+/g, "").replace(/\s+/g, " ").trim().slice(0, 160);
}

/** Names in a sentence: "A, B and C", or "A, B and 3 others". */
export function joinNames(names: string[]): string {
  if (names.length <= 1) return names[0] ?? "";
  if (names.length > 3) return `${names.slice(0, 2).join(", ")} and ${names.length - 2} others`;
  return `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`;
}
