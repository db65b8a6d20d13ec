// Which questions can be answered from their row of the list: those that one press answers and one line states.
import { type ComponentNode, componentsOf, contentOf, type Message } from "@hiloop/sdk/chat";
import { approvalChoices, buttonChoices, type Choice } from "../components/choices";
import { text } from "../components/types";

export interface QuickQuestion {
  /** The whole question, on one line. */
  title: string;
  choices: readonly Choice[];
}

const MAX_CHOICES = 3;
const MAX_DEPTH = 12;
/** What a row has room for. */
const MAX_TITLE = 160;
const MAX_LABEL = 40;

/** Parts that add words to a question. Anything else (a diff, a table, a warning) has to be seen before one answers. */
const WORDS: ReadonlySet<string> = new Set(["group", "text", "thinking", "kv", "progress", "metric_grid"]);
const BUTTONS: ReadonlySet<string> = new Set(["approval", "button_group"]);

/** Null for a question that has to be opened. */
export function quickQuestion(message: Message): QuickQuestion | null {
  const [node, ...others] = answerable(componentsOf(message), 0) ?? [];
  if (!node || others.length > 0) return null;
  const data = (typeof node.data === "object" && node.data !== null ? node.data : {}) as Record<string, unknown>;
  const isApproval = node.type === "approval";
  const choices = isApproval ? approvalChoices(data) : buttonChoices(data);
  const needsMore = choices.some(({ variant, question, label }) => question !== null || label.length > MAX_LABEL || (!isApproval && variant === "danger"));
  if (choices.length === 0 || choices.length > MAX_CHOICES || needsMore) return null;
  const title = oneLine((isApproval && text(data.title)) || withoutMarks(contentOf(message)?.text ?? ""));
  return title === "" || title.length > MAX_TITLE ? null : { title, choices };
}

/** The parts of a tree that take an answer; null where it holds something that the row can't stand for. */
function answerable(value: unknown, depth: number): ComponentNode[] | null {
  if (value === null || value === undefined) return [];
  if (typeof value !== "object" || depth > MAX_DEPTH) return null;
  if (Array.isArray(value)) return allOf(value, depth);
  const { type, children } = value as { type?: unknown; children?: unknown };
  if (typeof type !== "string" || !(WORDS.has(type) || BUTTONS.has(type))) return null;
  const below = allOf(Array.isArray(children) ? children : [], depth);
  return below && (BUTTONS.has(type) ? [value as ComponentNode, ...below] : below);
}

function allOf(nodes: readonly unknown[], depth: number): ComponentNode[] | null {
  const found: ComponentNode[] = [];
  for (const node of nodes) {
    const some = answerable(node, depth + 1);
    if (!some) return null;
    found.push(...some);
  }
  return found;
}

function oneLine(words: string): string {
  return words.replace(/\s+/g, " ").trim();
}

function withoutMarks(markdown: string): string {
  return markdown.replace(/[*_`#>~]+/g, "");
}
