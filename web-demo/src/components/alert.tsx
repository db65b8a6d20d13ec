// `alert{level,content}`: a thing to notice.
import { Markdown } from "../markdown/markdown";
import { type ComponentView, text } from "./types";

const LABELS: Record<string, string> = { info: "Note", success: "Done", warning: "Warning", danger: "Danger" };

export const Alert: ComponentView = ({ data }) => {
  const level = text(data.level) in LABELS ? text(data.level) : "info";
  return (
    <div class={`alert ${level}`} role="note" aria-label={LABELS[level] ?? "Note"}>
      <strong>{LABELS[level]}</strong>
      <Markdown text={text(data.content)} />
    </div>
  );
};
