// Says that something written in another conversation is not sent, and leads there.
import type { VNode } from "preact";
import { type Outgoing, sessionTitle } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import { goTo, useStore } from "./hooks";

export function UnsentElsewhere({ hub, openId }: { hub: Hub; openId: string | null }): VNode | null {
  const { outbox } = hub.unsent;
  useStore(outbox);
  const elsewhere = outbox.list().filter(({ sessionId, state }) => sessionId !== openId && NOT_SENT.has(state));
  const first = elsewhere.find(({ problem }) => problem) ?? elsewhere[0];
  if (!first) return null;
  const waits = first.problem === null;
  return (
    <p class="keys-notice unsent" role="status" data-testid="unsent-elsewhere" data-count={elsewhere.length}>
      <span>
        {elsewhere.length === 1 ? "1 message or answer" : `${elsewhere.length} messages and answers`}{" "}
        {waits ? "in other conversations wait for the connection." : "in other conversations not sent."}
      </span>
      <button type="button" class="link" data-testid="go-to-unsent" onClick={() => goTo(first.sessionId)}>
        Go to “<span dir="auto">{titleOf(hub, first)}</span>”
      </button>
    </p>
  );
}

const NOT_SENT: ReadonlySet<Outgoing["state"]> = new Set(["waiting", "failed", "settled"]);

function titleOf(hub: Hub, { sessionId }: Outgoing): string {
  const item = hub.feed.items.find(({ session }) => session.id === sessionId);
  return item ? sessionTitle(item.session, { agents: hub.agents, lastMessage: item.lastMessage }) : "the conversation";
}
