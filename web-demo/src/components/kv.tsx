// `kv{entries:[{key,value}]}`: names and values in two columns.
import { type ComponentView, list, text } from "./types";

export const KeyValues: ComponentView = ({ data }) => (
  <dl class="kv">
    {list(data.entries).map((entry) => (
      <div>
        <dt dir="auto">{text(entry.key)}</dt>
        <dd dir="auto">{text(entry.value)}</dd>
      </div>
    ))}
  </dl>
);
