// Says that what is shown was kept from before, while the hub is out of reach.
import type { VNode } from "preact";
import type { Kept } from "../client/kept";
import { fullTime } from "./format";
import { useStore } from "./hooks";

export function KeptNotice({ kept }: { kept: Kept }): VNode {
  useStore(kept);
  return (
    <div role="status">
      {kept.shownAt !== null && (
        <p class="keys-notice" data-testid="kept-notice">
          Offline. This is what was loaded at {fullTime(new Date(kept.shownAt).toISOString())}.
        </p>
      )}
    </div>
  );
}
