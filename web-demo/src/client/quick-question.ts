// Which questions can be answered from their row of the list: those that one press answers and the row states as a whole.
import { type ComponentNode, componentsOf, contentOf, type Message } from "@hiloop/sdk/chat";
import { approvalChoices, buttonChoices, type Choice } from "../components/choices";
import { text } from "../components/values";

export interface QuickQuestion {
  /** All words of the question: nobody answers what is not in view. */
  title: string;
  choices: readonly Choice[];
}

const MAX_CHOICES = 3;
const MAX_DEPTH = 12;
/** What a row has room for. */
const MAX_TITLE = 200;
const MAX_LABEL = 40;

const BUTTONS: ReadonlySet<string> = new Set(["approval", "button_group"]);

/** What a tree of components asks: its words in their order, and its parts that take an answer. */
interface Asked {
  words: string[];
  parts: ComponentNode[];
}

/** Null for a question that has to be opened. */
export function quickQuestion(message: Message): QuickQuestion | null {
  const asked: Asked = { words: [], parts: [] };
  if (!read(componentsOf(message), asked, 0)) return null;
  const [node, ...others] = asked.parts;
  if (!node || others.length > 0) return null;
  const data = dataOf(node);
  const isApproval = node.type === "approval";
  const choices = isApproval ? approvalChoices(data) : buttonChoices(data);
  const needsMore = choices.some(({ variant, question, label }) => question !== null || label.length > MAX_LABEL || (!isApproval && variant === "danger"));
  if (choices.length === 0 || choices.length > MAX_CHOICES || needsMore) return null;
  if (isApproval && text(data.title).trim() === "") return null;
  // What asks comes first, and what is said twice once.
  const all = [isApproval ? text(data.title) : "", withoutMarks(contentOf(message)?.text ?? ""), ...asked.words];
  const words = [...new Set(all.map(oneLine).filter((one) => one !== ""))];
  const title = words.join(" · ");
  return title === "" || title.length > MAX_TITLE ? null : { title, choices };
}

/** False where the tree holds something that the row can't show: a diff, a table, a value, a warning. */
function read(value: unknown, asked: Asked, depth: number): boolean {
  if (value === null || value === undefined) return true;
  if (typeof value !== "object" || depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((one) => read(one, asked, depth + 1));
  const { type, children } = value as { type?: unknown; children?: unknown };
  if (typeof type !== "string") return false;
  const data = dataOf(value as ComponentNode);
  if (type === "group") asked.words.push(text(data.title));
  else if (type === "text") asked.words.push(withoutMarks(text(data.content)));
  else if (BUTTONS.has(type)) {
    asked.words.push(withoutMarks(text(data.description)));
    asked.parts.push(value as ComponentNode);
  } else if (type !== "thinking") return false;
  return read(Array.isArray(children) ? children : [], asked, depth);
}

function dataOf({ data }: ComponentNode): Record<string, unknown> {
  return typeof data === "object" && data !== null ? (data as Record<string, unknown>) : {};
}

function oneLine(words: string): string {
  return words.replace(/\s+/g, " ").trim();
}

function withoutMarks(markdown: string): string {
  return markdown.replace(/[*_`#>~]+/g, "");
}
