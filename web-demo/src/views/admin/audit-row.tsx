// One entry of the audit log; its ids and its origin are folded away.
import type { VNode } from "preact";
import type { AuditEntry } from "@hiloop/sdk/manage";
import { eventText, targetText } from "./audit-words";
import { When } from "./when";

export function AuditRow({ entry }: { entry: AuditEntry }): VNode {
  const { id, at, event, actor, target, origin, requestId, outcome } = entry;
  const about = targetText(entry);
  const facts: readonly (readonly [string, string | null | undefined])[] = [
    ["Event", event],
    ["Done by", actor && [actor.type, actor.id].filter(Boolean).join(" ")],
    ["With the key", actor?.keyId],
    ["About", target && [target.type, target.id].filter(Boolean).join(" ")],
    ["From", origin ?? "the command line, or the hub itself"],
    ["Request", requestId],
    ["Entry", id],
  ];
  return (
    <li data-testid="audit-row" data-event={event} data-outcome={outcome}>
      <div class="admin-row-text">
        <p class="admin-row-title" dir="auto">
          {eventText(event)} {outcome === "failure" && <span class="tag danger">Failed</span>}
        </p>
        <p class="admin-row-more" dir="auto">
          {actor ? `By ${actor.name ?? actor.id ?? actor.type}` : "By somebody not signed in"}
          {about && `: ${about}`}
        </p>
        <details>
          <summary>Details</summary>
          <dl class="audit-facts">
            {facts.map(
              ([name, value]) =>
                value && (
                  <div key={name}>
                    <dt>{name}</dt>
                    <dd dir="auto">{value}</dd>
                  </div>
                ),
            )}
          </dl>
        </details>
      </div>
      <When iso={at} />
    </li>
  );
}
