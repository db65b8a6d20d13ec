// One line for an answer in a list: what was decided, by whom, and the reason.
import { type Agent, authorName, authorOf, type ComponentNode, componentsOf, type Content, contentOf, decidedBy, type FeedItem, isSealedByScheme, isUnproven, type Message, openedOf, type Outcome, outcomeOf, preview } from "@hiloop/sdk/chat";
import { asksApproval } from "./target";

/** The agent of a row, where its title does not name it already; null where none is known. */
export function agentOf({ session, lastMessage }: FeedItem, agents: readonly Agent[], title: string): string | null {
  const started = agents.find(({ id }) => id === session.createdByAgentId)?.name;
  const wrote = lastMessage && !isUnproven(lastMessage) && authorOf(lastMessage).type === "Agent" ? authorOf(lastMessage).name : null;
  const name = started ?? wrote ?? null;
  return name !== null && title.includes(name) ? null : name;
}

type IsMe = (id: string | null) => boolean;

const MARKS: Record<Outcome, string> = { Approved: "✓", Rejected: "✗", Answered: "✓" };

/** As `preview`, and answers say what they decided. */
export function lineOf(message: Message | null, isMe: IsMe): string {
  return (message && verdictOf(message, isMe)) ?? preview(message);
}

/**
 * Null for what is no answer, and for what can't be read or proven here. `question`: where it is known, it says what could
 * be decided; without it the answer's own word counts, which its author has signed.
 */
export function verdictOf(message: Message, isMe: IsMe, question: Message | null = null): string | null {
  const isSealed = isSealedByScheme(message.encryptedContent);
  const opened = isSealed ? openedOf(message) : undefined;
  if (isUnproven(message) || (isSealed && opened?.state !== "verified")) return null;
  const isAnswer = opened?.header ? opened.header.kind === "answer" : message.inReplyTo !== null;
  const content = isAnswer ? contentOf(message) : null;
  if (!content) return null;
  const { action, text } = content;
  // Beside a seal the outcome in clear is the hub's word.
  const clear = isSealed ? undefined : (message.outcome ?? undefined);
  const said = content.outcome ?? clear ?? (action === undefined ? null : outcomeOf(action));
  if (!said) return null;
  const outcome = question && asksApproval(question) ? decidedBy(content, (componentsOf(question) ?? null) as ComponentNode | null, clear).outcome : byItself(said, content);
  const who = isMe(authorOf(message).id) ? "you" : authorName(message);
  const words = text?.trim() ? preview(message) : outcome === "Answered" ? (action ?? "") : "";
  return `${MARKS[outcome]} ${outcome} by ${who}${words ? `: ${words}` : ""}`;
}

/** When a message was written: of a verified one, as it was signed. */
export function whenOf(message: Message): string {
  const opened = openedOf(message);
  return (opened?.state === "verified" ? opened.header?.at : null) ?? message.createdAt;
}

/**
 * Another button than `approve` does not approve. A group's button with that action reads as an approval's, whose mark it
 * bears on its card; a contradiction approves nothing.
 */
function byItself(said: Outcome, { action, outcome }: Content): Outcome {
  if (said === "Rejected" || action === "reject") return "Rejected";
  if (action === "approve" && outcome !== "Answered") return "Approved";
  return said === "Approved" && action !== undefined ? "Answered" : said;
}
