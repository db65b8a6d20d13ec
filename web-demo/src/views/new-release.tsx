// Says that the hub has another release of the page. Reloading is the person's own decision.
import type { VNode } from "preact";
import type { ReleaseWatch } from "../client/release";
import { useStore } from "./hooks";

export function NewRelease({ release }: { release: ReleaseWatch }): VNode {
  useStore(release);
  return (
    <div role="status">
      {release.isOutdated && (
        <p class="keys-notice" data-testid="new-release">
          <span>A new version of this page is ready.</span>
          <button type="button" class="link" data-testid="reload" onClick={() => location.reload()}>
            Reload
          </button>
        </p>
      )}
    </div>
  );
}
