// Highlighting when it is needed: the text shows at once, its colours follow when the highlighter is loaded.
import { useEffect, useState } from "preact/hooks";
import { grammarOf } from "./languages";
import type { Token } from "./tokens";

/** A longer text stays plain: to highlight it would block the page. */
const LONGEST = 40_000;

type Highlighter = typeof import("./highlighter");

let loading: Promise<Highlighter> | null = null;

function load(): Promise<Highlighter> {
  loading ??= import("./highlighter").catch((error: unknown) => {
    // Out of reach: tried again for the next text.
    loading = null;
    throw error;
  });
  return loading;
}

/** The lines of a text as tokens; null while they are not there, and for a text without a grammar. */
export function useTokens(text: string, language: string, path = ""): Token[][] | null {
  const [done, setDone] = useState<{ text: string; tokens: Token[][] } | null>(null);
  const grammar = text.length > LONGEST ? null : grammarOf(language, path);
  useEffect(() => {
    if (grammar === null) return;
    let current = true;
    load().then(
      ({ highlight }) => current && setDone({ text, tokens: highlight(text, grammar) }),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [text, grammar]);
  return grammar !== null && done?.text === text ? done.tokens : null;
}
