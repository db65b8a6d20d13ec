// A time in the reader's zone; the exact one shows while the pointer or the focus is on it.
import type { VNode } from "preact";

export function When({ iso }: { iso: string }): VNode {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return <span>an unknown time</span>;
  const exact = `${at.toLocaleString([], { dateStyle: "full", timeStyle: "long" })} (${iso})`;
  return (
    <time class="when" dateTime={iso} tabIndex={0} data-exact={exact}>
      {at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" })}
      <span class="visually-hidden">, exactly {exact}</span>
    </time>
  );
}
