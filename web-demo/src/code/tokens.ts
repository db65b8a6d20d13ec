// Highlighted text as lines of tokens: plain data, which the views draw as elements with a class.

export interface Token {
  text: string;
  /** What it is (`keyword`, `string`), one of `KINDS`; null for ordinary text. */
  kind: string | null;
}

/** A node of the tree that the highlighter makes. */
export interface TreeNode {
  type: string;
  value?: string;
  properties?: { className?: unknown };
  children?: readonly TreeNode[];
}

/** The kinds that have a colour; the others are ordinary text. */
export const KINDS: ReadonlySet<string> = new Set([
  "addition",
  "attr",
  "attribute",
  "built_in",
  "comment",
  "deletion",
  "keyword",
  "literal",
  "meta",
  "name",
  "number",
  "property",
  "regexp",
  "section",
  "selector-class",
  "selector-tag",
  "string",
  "symbol",
  "tag",
  "title",
  "type",
  "variable",
]);

/** The tokens of a tree, line by line. The text is that of the tree, without its line breaks. */
export function linesOf(root: TreeNode): Token[][] {
  const lines: Token[][] = [[]];
  const visit = (node: TreeNode, kind: string | null): void => {
    if (node.type === "text") {
      for (const [i, text] of (node.value ?? "").split("\n").entries()) {
        if (i > 0) lines.push([]);
        if (text !== "") lines[lines.length - 1]?.push({ text, kind });
      }
      return;
    }
    const own = kindOf(node) ?? kind;
    for (const child of node.children ?? []) visit(child, own);
  };
  visit(root, null);
  return lines;
}

function kindOf({ properties }: TreeNode): string | null {
  const names = Array.isArray(properties?.className) ? (properties.className as unknown[]) : [];
  const kind = String(names[0] ?? "").replace(/^hljs-/, "");
  return KINDS.has(kind) ? kind : null;
}
