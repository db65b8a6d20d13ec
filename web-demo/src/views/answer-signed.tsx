// An answer that was signed and has left, or may have: the hub may have it, whatever it says. The same one can be sent
// again. Another one can't, because the hub could choose between the two.
import type { VNode } from "preact";
import type { Message, Outgoing, Written } from "@hiloop/sdk/chat";
import { isAsked, signedName } from "./problem-text";
import { useUnsent } from "./unsent-context";

/** One that is on its way, or that the hub refused. */
export function AnswerHandedOver({ item, message }: { item: Outgoing; message: Message | null }): VNode {
  const { outbox } = useUnsent();
  const { problem, error } = item;
  const asks = problem?.kind === "refused" && isAsked(problem.code);
  const reason = problem?.kind === "refused" ? problem.text : error;
  const said = asks ? problem.text : reason === null ? "It is sent again by itself." : `The hub says: ${reason}`;
  return (
    <p class="message-state given" data-testid="signed" data-state={item.state}>
      <span role={problem ? "alert" : "status"}>
        You signed <span dir="auto">{signedName(item, message)}</span>; the hub may have it. {said}
      </span>
      <button type="button" class="link" data-testid="retry" onClick={() => outbox.retry(item.id)}>
        {problem ? "Send it again" : "Try now"}
      </button>
      {asks && (
        <button type="button" class="link" data-testid="discard" onClick={() => outbox.discard(item.id)}>
          Don't send it
        </button>
      )}
    </p>
  );
}

/** One that the hub has confirmed, or that an earlier page has sent, to a question that the hub shows as open. */
export function AnswerSigned({ signed, message }: { signed: Written; message: Message }): VNode {
  const { outbox } = useUnsent();
  return (
    <p class="message-state given" data-testid="signed" data-state="signed">
      <span role="status">
        You signed <span dir="auto">{signedName(signed, message)}</span>; the hub has it or may have it, and does not show it.
      </span>
      <button type="button" class="link" data-testid="send-again" onClick={() => outbox.sendAgain(signed)}>
        Send it again
      </button>
    </p>
  );
}
