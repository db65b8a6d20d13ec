// What has no view of its own: its type and its JSON, so that nothing is ever hidden.
import type { VNode } from "preact";
import { useMemo } from "preact/hooks";
import { CodeFigure } from "../code/figure";

export function Unknown({ label, value }: { label: string; value: unknown }): VNode {
  const json = useMemo(() => jsonOf(value), [value]);
  return (
    <div data-testid="unknown-component" data-type={label}>
      <CodeFigure class="unknown" label={label} text={json} />
    </div>
  );
}

function jsonOf(value: unknown): string {
  try {
    return JSON.stringify(value, null, 2) ?? String(value);
  } catch {
    return String(value);
  }
}
