// `kv{entries:[{key,value}]}`: names and values in two columns.
import { useFold } from "./fold";
import type { ComponentView } from "./types";
import { list, text } from "./values";
import { Unknown } from "./unknown";

export const KeyValues: ComponentView = ({ node, data }) => {
  const entries = list(data.entries);
  const { shown, more } = useFold(entries.length, 50, "entries");
  if (entries.length === 0) return <Unknown label="kv" value={node.data ?? null} />;
  return (
    <>
      <dl class="kv">
        {entries.slice(0, shown).map((entry) => (
          <div>
            <dt dir="auto">{text(entry.key)}</dt>
            <dd dir="auto">{text(entry.value)}</dd>
          </div>
        ))}
      </dl>
      {more}
    </>
  );
};
