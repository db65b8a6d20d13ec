// One's own messages that are not on the timeline yet: on their way, waiting for the network, or refused.
import type { VNode } from "preact";
import { contentOf, type LiveSession } from "@hiloop/sdk/chat";
import { Markdown } from "../markdown/markdown";

export function OutgoingList({ live }: { live: LiveSession }): VNode {
  return (
    <>
      {live.outbox.list().map((item) => (
        <article class="message mine outgoing" key={item.key} data-testid="outgoing" data-state={item.state}>
          <div class="bubble-column">
            <div class="bubble">
              <Markdown text={contentOf({ encryptedContent: item.message.encryptedContent ?? null, encryptedComponents: null })?.text ?? ""} />
            </div>
            <p class="message-state">
              {item.state === "failed" ? (
                <span class="form-error" role="alert">
                  Not sent: {item.error}
                </span>
              ) : item.state === "waiting" ? (
                "Waiting for the connection"
              ) : (
                "Sending…"
              )}
              {(item.state === "failed" || item.state === "waiting") && (
                <>
                  <button type="button" class="link" onClick={() => live.outbox.retry(item.key)}>
                    Send again
                  </button>
                  <button type="button" class="link" onClick={() => live.outbox.discard(item.key)}>
                    Discard
                  </button>
                </>
              )}
            </p>
          </div>
        </article>
      ))}
    </>
  );
}
