// `alert{level,content}`: a thing to notice.
import { Markdown } from "../markdown/markdown";
import type { ComponentView } from "./types";
import { text } from "./values";

const LABELS: ReadonlyMap<string, string> = new Map([
  ["info", "Note"],
  ["success", "Done"],
  ["warning", "Warning"],
  ["danger", "Danger"],
]);

export const Alert: ComponentView = ({ data }) => {
  const level = LABELS.has(text(data.level)) ? text(data.level) : "info";
  return (
    <div class={`alert ${level}`} role="note" aria-label={LABELS.get(level)}>
      <strong>{LABELS.get(level)}</strong>
      <Markdown text={text(data.content)} />
    </div>
  );
};
