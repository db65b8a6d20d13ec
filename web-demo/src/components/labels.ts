// The words of a press: what the list says of an answer needs them without the views of the components.

/** Components are drawn, and looked through, to this depth. */
export const MAX_DEPTH = 12;

/** The label of the button with an action, anywhere in the tree. */
export function actionLabel(value: unknown, action: string, depth = 0): string | null {
  if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return null;
  if (Array.isArray(value)) return firstLabel(value, action, depth);
  const { type, data, children } = value as { type?: unknown; data?: unknown; children?: unknown };
  const fields = (typeof data === "object" && data !== null ? data : {}) as Record<string, unknown>;
  if (type === "button_group" && Array.isArray(fields.buttons)) {
    for (const button of fields.buttons as { action?: unknown; label?: unknown }[]) {
      if (button?.action === action && typeof button.label === "string") return button.label;
    }
  }
  if (type === "approval" && (action === "approve" || action === "reject")) {
    const label = fields[`${action}Label`];
    return typeof label === "string" && label !== "" ? label : action === "approve" ? "Approve" : "Reject";
  }
  return Array.isArray(children) ? firstLabel(children, action, depth) : null;
}

function firstLabel(nodes: unknown[], action: string, depth: number): string | null {
  for (const node of nodes) {
    const label = actionLabel(node, action, depth + 1);
    if (label !== null) return label;
  }
  return null;
}
