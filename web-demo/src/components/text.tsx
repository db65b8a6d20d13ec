// `text{content}`: markdown.
import { Markdown } from "../markdown/markdown";
import type { ComponentView } from "./types";
import { text } from "./values";
import { Unknown } from "./unknown";

export const Text: ComponentView = ({ node, data }) => {
  const content = text(data.content);
  return content === "" ? <Unknown label="text" value={node.data ?? null} /> : <Markdown text={content} />;
};
