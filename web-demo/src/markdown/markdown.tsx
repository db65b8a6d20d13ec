// The tree of the markdown parser as elements.
import type { ComponentChildren, VNode } from "preact";
import { useMemo } from "preact/hooks";
import { CodeFigure } from "../code/figure";
import { useUnfold } from "../code/use-unfold";
import { type Block, type Inline, parseMarkdown } from "./parse";

const LONG = 12_000;

export function Markdown({ text }: { text: string }): VNode {
  const [whole, unfold] = useUnfold();
  const long = text.length > LONG;
  const shown = long && !whole ? text.slice(0, LONG) : text;
  const blocks = useMemo(() => parseMarkdown(shown), [shown]);
  return (
    <div class="markdown">
      {blocks.map(renderBlock)}
      {long && !whole && (
        <button type="button" class="button quiet" data-testid="unfold" onClick={unfold}>
          Show the whole text ({Math.round(text.length / 1000)},000 characters)
        </button>
      )}
    </div>
  );
}

function renderBlock(block: Block): ComponentChildren {
  switch (block.t) {
    case "p":
      return <p dir="auto">{block.children.map(renderInline)}</p>;
    case "h": {
      // Below the headings of the page itself.
      const Tag = block.level <= 1 ? "h4" : block.level === 2 ? "h5" : "h6";
      return <Tag dir="auto">{block.children.map(renderInline)}</Tag>;
    }
    case "code":
      return <CodeFigure text={block.text} language={block.language} />;
    case "quote":
      return <blockquote>{block.children.map(renderBlock)}</blockquote>;
    case "list": {
      const items = block.items.map((item) => <li>{tight(item)}</li>);
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "hr":
      return <hr />;
  }
}

/** A list item of one paragraph needs no paragraph element. */
function tight(blocks: Block[]): ComponentChildren {
  const [first, ...rest] = blocks;
  if (first?.t !== "p") return blocks.map(renderBlock);
  return [...first.children.map(renderInline), ...rest.map(renderBlock)];
}

function renderInline(node: Inline): ComponentChildren {
  switch (node.t) {
    case "text":
      return node.text;
    case "code":
      return <code>{node.text}</code>;
    case "strong":
      return <strong>{node.children.map(renderInline)}</strong>;
    case "em":
      return <em>{node.children.map(renderInline)}</em>;
    case "del":
      return <del>{node.children.map(renderInline)}</del>;
    case "link":
      return (
        <a href={node.href} target="_blank" rel="noopener noreferrer nofollow">
          {node.children.map(renderInline)}
        </a>
      );
    case "br":
      return <br />;
  }
}
