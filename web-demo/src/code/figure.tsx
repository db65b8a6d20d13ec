// Preformatted text in a frame: its name, a button to copy it, line numbers where it has them; a long one is folded.
import type { ComponentChildren, VNode } from "preact";
import { useMemo } from "preact/hooks";
import { CopyButton } from "./copy-button";
import { foldText, type Keep } from "./fold-text";
import type { Token } from "./tokens";
import { useTokens } from "./use-tokens";
import { useUnfold } from "./use-unfold";

interface Props {
  text: string;
  /** The name in the head; the language unless given. */
  label?: string;
  /** Further words in the head. */
  head?: ComponentChildren;
  language?: string;
  /** Of a file: names its language where that is not given. */
  path?: string;
  /** The number of the first line; without it, lines have no numbers. */
  startLine?: number | null;
  /** Which end of a long text shows first. */
  keep?: Keep;
  class?: string;
}

export function CodeFigure({ text, language = "", label = language || "text", head, path = "", startLine = null, keep = "start", ...rest }: Props): VNode {
  const [whole, showAll] = useUnfold({ isAbove: keep === "end" });
  const folded = useMemo(() => foldText(text, keep), [text, keep]);
  const shown = whole ? text : folded.text;
  const tokens = useTokens(shown, language, path);
  const first = startLine === null ? null : startLine + (whole ? 0 : folded.skipped);
  const unfold = folded.hidden > 0 && !whole && (
    <button type="button" class="unfold" data-testid="unfold" onClick={showAll}>
      {folded.words}
    </button>
  );
  return (
    <figure class={`code ${rest.class ?? ""}`}>
      <figcaption>
        <span class="code-label" dir="auto" title={label}>
          {label}
        </span>
        {head}
        <CopyButton text={text} />
      </figcaption>
      {keep === "end" && unfold}
      {/* Focusable, so that a wide line can be scrolled by the keyboard. */}
      <pre tabIndex={0} role="group" aria-label={label}>
        <code>{first === null && tokens === null ? shown : <Lines text={shown} tokens={tokens} first={first} />}</code>
      </pre>
      {keep === "start" && unfold}
    </figure>
  );
}

interface LinesProps {
  text: string;
  tokens: Token[][] | null;
  first: number | null;
}

function Lines({ text, tokens, first }: LinesProps): VNode {
  const lines = tokens ?? text.split("\n").map((line) => [{ text: line, kind: null }]);
  return (
    <>
      {lines.map((line, i) => {
        const pieces = line.map(draw);
        const end = i < lines.length - 1 ? "\n" : "";
        if (first === null) return [pieces, end];
        // The number is drawn by the style sheet, so that it is not copied with the text.
        return (
          <span class="line" data-line={first + i}>
            {pieces}
            {end}
          </span>
        );
      })}
    </>
  );
}

function draw({ text, kind }: Token): ComponentChildren {
  return kind === null ? text : <span class={`hl-${kind}`}>{text}</span>;
}
