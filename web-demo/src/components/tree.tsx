// A component and its children, drawn by the registry; unknown ones and those that fail are shown as JSON.
import { Component, type ComponentChildren, type VNode } from "preact";
import type { ComponentNode } from "@hiloop/sdk/chat";
import { type Field, fieldsOf } from "./form/fields";
import { useFold } from "./fold";
import { MAX_DEPTH } from "./labels";
import { registry } from "./registry";
import { Unknown } from "./unknown";

const MAX_CHILDREN = 100;

export function ComponentTree({ value, depth = 0 }: { value: unknown; depth?: number }): VNode {
  if (Array.isArray(value) && depth < MAX_DEPTH) return <Trees nodes={value} depth={depth + 1} />;
  if (!isNode(value)) return <Unknown label="component" value={value} />;
  const View = registry.get(value.type);
  if (!View || depth >= MAX_DEPTH) return <Unknown label={value.type} value={value.data ?? value} />;
  const data = typeof value.data === "object" && value.data !== null ? (value.data as Record<string, unknown>) : {};
  return (
    <div class={`component component-${value.type}`}>
      <Guard node={value}>
        <View node={value} data={data} />
      </Guard>
      {Array.isArray(value.children) && <Trees nodes={value.children} depth={depth + 1} />}
    </div>
  );
}

function Trees({ nodes, depth }: { nodes: readonly unknown[]; depth: number }): VNode {
  const { shown, more } = useFold(nodes.length, MAX_CHILDREN, "parts");
  return (
    <>
      {nodes.slice(0, shown).map((node) => (
        <ComponentTree value={node} depth={depth} />
      ))}
      {more}
    </>
  );
}

function isNode(value: unknown): value is ComponentNode {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** A component that can't draw its data must not take the conversation down with it. */
class Guard extends Component<{ node: ComponentNode; children?: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  static override getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ComponentChildren {
    const { node, children } = this.props;
    return this.state.failed ? <Unknown label={node.type} value={node.data} /> : children;
  }
}

/** The fields of all forms in the tree. */
export function formFields(value: unknown, depth = 0): Field[] {
  if (depth > MAX_DEPTH || typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((node) => formFields(node, depth + 1));
  const { type, data, children } = value as { type?: unknown; data?: unknown; children?: unknown };
  const own = type === "form" && typeof data === "object" && data !== null ? fieldsOf(data as Record<string, unknown>) : [];
  return [...own, ...formFields(Array.isArray(children) ? children : null, depth)];
}
