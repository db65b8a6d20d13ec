// `file_tree{entries:[{path,change?}]}`: files in their folders, each with what happened to it.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { filesOf, type Folder } from "./file-tree-data";
import { useFold } from "./fold";
import type { ComponentView } from "./types";
import { list, text } from "./values";
import { Unknown } from "./unknown";

const CHANGES: ReadonlyMap<string, string> = new Map([
  ["added", "A"],
  ["modified", "M"],
  ["deleted", "D"],
  ["renamed", "R"],
]);

export const FileTree: ComponentView = ({ node, data }) => {
  const entries = useMemo(() => list(data.entries).filter((entry) => text(entry.path) !== ""), [data]);
  const { shown, more } = useFold(entries.length, 200, "files");
  const root = useMemo(() => filesOf(entries.slice(0, shown).map(({ path, change }) => ({ path: text(path), change: text(change) }))), [entries, shown]);
  if (entries.length === 0) return <Unknown label="file_tree" value={node.data ?? null} />;
  return (
    <div class="file-tree">
      <Files folder={root} label="Files" />
      {more}
    </div>
  );
};

function Files({ folder, label }: { folder: Folder; label: string }): VNode {
  return (
    <ul aria-label={label}>
      {folder.folders.map((inner) => (
        <li>
          <details open>
            <summary dir="auto">{inner.name}/</summary>
            <Files folder={inner} label={inner.name} />
          </details>
        </li>
      ))}
      {folder.files.map(({ name, change }) => (
        <li class={`file ${CHANGES.has(change) ? change : ""}`}>
          {change !== "" && <Change change={change} />}
          <span dir="auto">{name}</span>
        </li>
      ))}
    </ul>
  );
}

function Change({ change }: { change: string }): VNode {
  const letter = CHANGES.get(change);
  if (!letter) return <span class="change">{change}</span>;
  return (
    <span class={`change ${change}`} title={change}>
      <span aria-hidden="true">{letter}</span>
      <span class="visually-hidden">{change}</span>
    </span>
  );
}
