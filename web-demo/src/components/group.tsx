// `group{title?}`: its children, one below the other, under its title.
import { type ComponentView, text } from "./types";

/** The children of every node are drawn by the tree; a group has a title of its own at most. */
export const Group: ComponentView = ({ data }) => {
  const title = text(data.title);
  return title === "" ? null : <h4 dir="auto">{title}</h4>;
};
