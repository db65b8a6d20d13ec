// Which part of a long text shows before one asks for all of it.

export type Keep = "start" | "end";

export interface FoldedText {
  text: string;
  /** How many lines before the shown ones are hidden. */
  skipped: number;
  /** How many characters are hidden. */
  hidden: number;
  /** What the button says that shows the rest. */
  words: string;
}

const LINES = 200;
const CHARACTERS = 20_000;

export function foldText(text: string, keep: Keep): FoldedText {
  const lines = text.split("\n");
  if (lines.length <= LINES && text.length <= CHARACTERS) return { text, skipped: 0, hidden: 0, words: "" };
  const kept = keep === "start" ? lines.slice(0, LINES) : lines.slice(-LINES);
  const joined = kept.join("\n");
  const shown = keep === "start" ? joined.slice(0, CHARACTERS) : joined.slice(-CHARACTERS);
  const skipped = keep === "start" ? 0 : lines.length - shown.split("\n").length;
  const count = lines.length > LINES ? `all ${lines.length.toLocaleString()} lines` : `all ${text.length.toLocaleString()} characters`;
  return { text: shown, skipped, hidden: text.length - shown.length, words: `Show ${count}` };
}
