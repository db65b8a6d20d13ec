// `thinking{content}`: how the agent came to what it says; collapsed.
import { Markdown } from "../markdown/markdown";
import type { ComponentView } from "./types";
import { text } from "./values";
import { Unknown } from "./unknown";

export const Thinking: ComponentView = ({ node, data }) => {
  const content = text(data.content);
  if (content === "") return <Unknown label="thinking" value={node.data ?? null} />;
  return (
    <details class="thinking">
      <summary>Thinking</summary>
      <Markdown text={content} />
    </details>
  );
};
