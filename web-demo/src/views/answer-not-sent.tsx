// An answer that was given on its card and not sent: refused, or too late. What was typed with it stays.
import type { VNode } from "preact";
import type { Outgoing } from "@hiloop/sdk/chat";
import { CopyText } from "./copy-text";
import { isAsked, refusedText, settledText } from "./problem-text";
import { useUnsent } from "./unsent-context";

export function AnswerNotSent({ item }: { item: Outgoing }): VNode | null {
  const { outbox, isMe } = useUnsent();
  const { problem, content } = item;
  if (!problem) return null;
  const text = content.text ?? "";
  const isSettled = problem.kind === "settled";
  return (
    <div class="not-sent" data-testid="not-sent" data-kind={problem.kind}>
      <p role="alert">
        {isSettled ? `${settledText(problem, isMe)} Your answer was not sent.` : refusedText(problem)}
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
