// One's own setting: the key by which the attestations of others are checked.
import type { VNode } from "preact";
import type { Hub } from "../../client/hub";
import { SpaceKeyForm } from "../space-key-form";

export function SpaceKey({ hub }: { hub: Hub }): VNode | null {
  if (!hub.spaceKey) return null;
  const session = hub.current?.session ?? hub.feed.items[0]?.session;
  return (
    <section aria-label="Attestations">
      <h3>Attestations</h3>
      <p class="aside">Where the owner of your space attests keys, the list of those who take part says whose are attested.</p>
      <SpaceKeyForm setting={hub.spaceKey} spaceId={session?.spaceId ?? null} />
    </section>
  );
}
