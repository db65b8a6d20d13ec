// The search over titles and loaded messages: every word has to occur, accents and case don't matter.
import type { LoadedMessage } from "./loaded-text";

export interface SearchRow {
  sessionId: string;
  title: string;
  /** The open request or the last message of the row. */
  line: string;
  /** Of that line, where it is a message that can be gone to. */
  messageId: string | null;
}

export interface Hit {
  sessionId: string;
  messageId: string | null;
  title: string;
  /** The place of the text that matches. */
  line: string;
}

const MAX_HITS = 30;
const BEFORE = 30;
const LENGTH = 120;

export function search(query: string, rows: readonly SearchRow[], loaded: ReadonlyMap<string, readonly LoadedMessage[]>): Hit[] {
  const words = plain(query).split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows.slice(0, MAX_HITS).map(({ sessionId, title, line }) => ({ sessionId, messageId: null, title, line }));
  const hits: Hit[] = [];
  const matches = (text: string): boolean => {
    const folded = plain(text);
    return words.every((word) => folded.includes(word));
  };
  for (const { sessionId, title, line } of rows) if (matches(title)) hits.push({ sessionId, messageId: null, title, line });
  for (const { sessionId, title, line, messageId } of rows) {
    const messages = loaded.get(sessionId);
    if (!messages) {
      if (matches(line)) hits.push({ sessionId, messageId, title, line });
      continue;
    }
    for (const { id, sender, text } of [...messages].reverse()) {
      if (hits.length >= MAX_HITS) return hits;
      if (matches(`${sender} ${text}`)) hits.push({ sessionId, messageId: id, title, line: `${sender}: ${around(text, words)}` });
    }
  }
  return hits.slice(0, MAX_HITS);
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
