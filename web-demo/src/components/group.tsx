// `group{}`: its children, one below the other.
import type { ComponentView } from "./types";

/** The children of every node are drawn by the tree; a group has nothing of its own. */
export const Group: ComponentView = () => null;
