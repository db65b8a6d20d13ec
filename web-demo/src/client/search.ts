// The search over titles, loaded messages and decisions: every word has to occur, accents and case don't matter.
import type { Decision } from "./decisions";
import type { LoadedMessage } from "./loaded-text";

export interface SearchRow {
  sessionId: string;
  title: string;
  /** The open request or the last message of the row. */
  line: string;
  /** Of that line, where it is a message that can be gone to. */
  messageId: string | null;
  /** When that was written; without a message, when something last happened. */
  at: string;
}

export interface Hit {
  sessionId: string;
  messageId: string | null;
  title: string;
  /** The place of the text that matches, with its author; of an answer, what was decided, by whom and why. */
  line: string;
  /** Of an answer: what was asked, where that is known. */
  about: string;
  at: string;
}

export interface SearchOptions {
  /** What was read of conversations that were not opened in this tab. */
  decisions?: readonly Decision[];
  /** Answers alone, the newest first; also without words. */
  onlyDecisions?: boolean;
}

type Loaded = ReadonlyMap<string, readonly LoadedMessage[]>;

const MAX_HITS = 30;
const BEFORE = 30;
const LENGTH = 120;

export function search(query: string, rows: readonly SearchRow[], loaded: Loaded, { decisions = [], onlyDecisions = false }: SearchOptions = {}): Hit[] {
  const words = plain(query).split(/\s+/).filter(Boolean);
  if (onlyDecisions) return decided(words, rows, loaded, decisions).slice(0, MAX_HITS);
  if (words.length === 0) return rows.slice(0, MAX_HITS).map((row) => ({ ...row, messageId: null, about: "" }));
  const hits: Hit[] = [];
  for (const row of rows) if (matches(words, plain(row.title))) hits.push({ ...row, messageId: null, about: "" });
  for (const row of rows) {
    const { sessionId, title, line } = row;
    const messages = loaded.get(sessionId);
    if (!messages) {
      if (matches(words, plain(line))) hits.push({ ...row, about: "" });
      // The last message is one of them.
      hits.push(...decided(words, [row], loaded, decisions).filter(({ messageId }) => !hits.some((hit) => hit.messageId === messageId)));
    }
    for (const message of [...(messages ?? [])].reverse()) {
      if (hits.length >= MAX_HITS) return hits;
      if (!matches(words, foldedOf(message))) continue;
      const { id, sender, text, at, verdict } = message;
      hits.push({ sessionId, messageId: id, title, line: verdict ? text : `${sender}: ${around(text, words)}`, about: verdict?.about ?? "", at });
    }
  }
  return hits.slice(0, MAX_HITS);
}

function decided(words: readonly string[], rows: readonly SearchRow[], loaded: Loaded, decisions: readonly Decision[]): Hit[] {
  const hits = new Map<string, Hit>();
  const titles = new Map(rows.map(({ sessionId, title }) => [sessionId, title]));
  const take = (hit: Omit<Hit, "title">): void => {
    const title = titles.get(hit.sessionId);
    if (title === undefined || !matches(words, plain(`${title} ${hit.about} ${hit.line}`))) return;
    hits.set(`${hit.messageId}`, { ...hit, title });
  };
  for (const { sessionId, messageId, line, about, at } of decisions) take({ sessionId, messageId, line, about, at });
  for (const { sessionId } of rows) {
    for (const { id, text, at, verdict } of loaded.get(sessionId) ?? []) {
      if (verdict) take({ sessionId, messageId: id, line: text, about: verdict.about, at });
    }
  }
  return [...hits.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
}

function matches(words: readonly string[], folded: string): boolean {
  return words.every((word) => folded.includes(word));
}

const folded = new WeakMap<LoadedMessage, string>();

/** Kept, so that a key press does not fold thousands of texts again. */
function foldedOf(message: LoadedMessage): string {
  let text = folded.get(message);
  if (text === undefined) {
    const { sender, text: said, verdict } = message;
    text = plain(`${sender} ${said} ${verdict?.about ?? ""}`);
    folded.set(message, text);
  }
  return text;
}

/** The part of a long text where the first word occurs. */
function around(text: string, [word = ""]: readonly string[]): string {
  const at = Math.max(0, plain(text).indexOf(word) - BEFORE);
  const part = withoutMarks(text.slice(at, at + LENGTH)).replace(/\s+/g, " ");
  return `${at > 0 ? "…" : ""}${part}${at + LENGTH < text.length ? "…" : ""}`;
}

function plain(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}+/gu, "").toLowerCase();
}

/** Markdown as words: names such as `build_number` stay as they are. */
function withoutMarks(markdown: string): string {
  return markdown.replace(/\*+|`+|~~|^\s*[#>]+\s|(?<!\w)_+|_+(?!\w)/gm, "");
}
