// An answer that was given on its card and not sent: refused, or too late. What was typed with it stays.
import type { VNode } from "preact";
import { mayBeAtHub, type Message, type Outgoing, type SettledBy } from "@hiloop/sdk/chat";
import { AnswerHandedOver } from "./answer-signed";
import { CopyText } from "./copy-text";
import { endingOf, isAsked, refusedText, settledText, unsentText } from "./problem-text";
import { useUnsent } from "./unsent-context";

interface Props {
  item: Outgoing;
  /** Its question, where that is here. */
  message: Message | null;
  /** What the answer of the question decided. */
  settledBy: SettledBy | undefined;
}

export function AnswerNotSent({ item, message, settledBy }: Props): VNode | null {
  const { outbox, isMe } = useUnsent();
  const { problem, content } = item;
  if (!problem) return null;
  if (problem.kind === "refused" && mayBeAtHub(item)) return <AnswerHandedOver item={item} message={message} />;
  const text = content.text ?? "";
  const isSettled = problem.kind === "settled";
  return (
    <div class="not-sent" data-testid="not-sent" data-kind={problem.kind}>
      <p role="alert">
        {problem.kind === "settled"
          ? `${settledText(problem.status, endingOf(item, problem, message, settledBy), isMe)} ${unsentText(item, message)}`
          : refusedText(problem)}
      </p>
      {text !== "" && (
        <blockquote dir="auto" data-testid="kept-text">
          {text}
        </blockquote>
      )}
      <p class="not-sent-actions">
        {!isSettled && (
          <button type="button" class="link" data-testid="retry" onClick={() => outbox.retry(item.id)}>
            {problem.kind === "refused" && isAsked(problem.code) ? "Send it" : "Send again"}
          </button>
        )}
        {isSettled && text !== "" && (
          <button type="button" class="link" data-testid="send-as-message" onClick={() => outbox.sendAsMessage(item.id)}>
            Send my words as a message
          </button>
        )}
        {text !== "" && <CopyText text={text} />}
        <button type="button" class="link" data-testid="discard" onClick={() => outbox.discard(item.id)}>
          {isSettled && text === "" ? "All right" : "Discard"}
        </button>
      </p>
    </div>
  );
}
