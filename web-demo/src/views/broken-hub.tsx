// Says that the hub has sent what belongs to another conversation than the one it was asked for.
import type { VNode } from "preact";
import type { Hub } from "../client/hub";
import { useStore } from "./hooks";

export function BrokenHub({ hub }: { hub: Hub }): VNode | null {
  const { count } = useStore(hub.rest.admission);
  if (count === 0) return null;
  return (
    <p class="keys-notice" role="alert" data-testid="broken-hub" data-count={count}>
      <span>
        The hub sent something of another conversation{count === 1 ? "" : ` (${count} times)`}. It is not shown. Whoever runs the hub should look at it.
      </span>
    </p>
  );
}
