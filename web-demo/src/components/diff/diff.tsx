// `diff{path?,content}`: what was added and removed, by sign and number as well as by colour.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { CopyButton } from "../../code/copy-button";
import { useFold } from "../fold";
import type { ComponentView } from "../types";
import { text } from "../values";
import { Unknown } from "../unknown";
import { type DiffFile, type DiffLine, parseDiff } from "./parse";

const LINES = 200;
const FILES = 20;

export const Diff: ComponentView = ({ node, data }) => {
  const content = text(data.content);
  const files = useMemo(() => parseDiff(content, text(data.path)), [content, data.path]);
  const { shown, more } = useFold(files.length, FILES, "files");
  if (content === "") return <Unknown label="diff" value={node.data ?? null} />;
  return (
    <>
      {files.slice(0, shown).map((file) => (
        <FileDiff file={file} source={content} />
      ))}
      {more}
    </>
  );
};

function FileDiff({ file, source }: { file: DiffFile; source: string }): VNode {
  const { path, lines, added, removed } = file;
  const { shown, more } = useFold(lines.length, LINES, "lines");
  const label = path || "Changes";
  return (
    <figure class="code diff" data-testid="diff">
      <figcaption>
        <span class="code-label" dir="auto" title={label}>
          {label}
        </span>
        <span class="diff-count">
          <span class="added">
            +{added}
            <span class="visually-hidden"> lines added,</span>
          </span>{" "}
          <span class="removed">
            −{removed}
            <span class="visually-hidden"> lines removed</span>
          </span>
        </span>
        <CopyButton text={source} />
      </figcaption>
      {/* Focusable, so that a wide line can be scrolled by the keyboard. */}
      <div class="diff-scroll" tabIndex={0} role="group" aria-label={label}>
        <table>
          <tbody>
            {lines.slice(0, shown).map((line) => (
              <Line line={line} />
            ))}
          </tbody>
        </table>
      </div>
      {more}
    </figure>
  );
}

const SIGNS: Readonly<Record<DiffLine["kind"], [sign: string, words: string]>> = {
  added: ["+", "added"],
  removed: ["−", "removed"],
  same: ["", ""],
  hunk: ["", ""],
  note: ["", ""],
};

function Line({ line: { kind, before, after, text: content } }: { line: DiffLine }): VNode {
  const [sign, words] = SIGNS[kind];
  if (kind === "hunk" || kind === "note") {
    return (
      <tr class={kind}>
        <td colSpan={4}>
          {kind === "hunk" && <span aria-hidden="true">⋯ </span>}
          {content}
        </td>
      </tr>
    );
  }
  // The numbers are drawn by the style sheet, so that they are not copied with the text.
  return (
    <tr class={kind}>
      <td class="diff-number" data-line={before ?? ""} />
      <td class="diff-number" data-line={after ?? ""} />
      <td class="diff-sign">
        <span aria-hidden="true">{sign}</span>
        {words && <span class="visually-hidden">{words} </span>}
      </td>
      <td class="diff-text">{content}</td>
    </tr>
  );
}
