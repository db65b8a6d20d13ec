// `group{title?}`: its children, one below the other, under its title.
import type { ComponentNode } from "@hiloop/sdk/chat";
import type { ComponentView } from "./types";
import { text } from "./values";

/** The children of every node are drawn by the tree; a group has a title of its own at most. */
export const Group: ComponentView = ({ node, data }) => {
  const title = text(data.title);
  return title === "" || isShownBelow(node, title) ? null : <h4 dir="auto">{title}</h4>;
};

const MAX_DEPTH = 4;

/** Whether an approval in the group has the same title, as where an agent gives both the question and its approval. */
function isShownBelow({ children }: ComponentNode, title: string, depth = 0): boolean {
  if (!Array.isArray(children) || depth >= MAX_DEPTH) return false;
  return children.some((child: ComponentNode | null) => {
    if (typeof child !== "object" || child === null) return false;
    if (child.type === "approval") return text((child.data as { title?: unknown } | null)?.title) === title;
    return child.type === "group" && isShownBelow(child, title, depth + 1);
  });
}
