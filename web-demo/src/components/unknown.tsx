// Whatever has no view of its own: its type and its JSON, so that nothing is ever hidden.
import type { VNode } from "preact";

export function Unknown({ label, value }: { label: string; value: unknown }): VNode {
  let json: string;
  try {
    json = JSON.stringify(value, null, 2) ?? String(value);
  } catch {
    json = String(value);
  }
  return (
    <figure class="code unknown" data-testid="unknown-component" data-type={label}>
      <figcaption>
        <span>{label}</span>
      </figcaption>
      <pre tabIndex={0}>
        <code>{json}</code>
      </pre>
    </figure>
  );
}
