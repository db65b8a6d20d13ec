// What became of a request: still waiting (and for how long), answered by whom, cancelled, expired.
import type { VNode } from "preact";
import { clock, countdown, fullTime } from "./format";
import { useNow } from "./hooks";
import type { MessageProps } from "./message";

export function MessageState({ message, mine, answer, acknowledged, closed, onAnswer }: MessageProps): VNode {
  const pending = message.status === "Pending";
  const now = useNow(1_000, pending && message.deadlineAt !== null);
  if (answer?.state === "sending") return <p class="message-state">Sending your answer…</p>;
  switch (message.status) {
    case "Pending":
      return (
        <p class="message-state">
          <span class="tag pending">Waiting for an answer</span>
          {message.deadlineAt && (
            <span class="deadline" data-testid="deadline" title={fullTime(message.deadlineAt)}>
              {countdown(message.deadlineAt, now)} left
            </span>
          )}
          {!mine && !closed && (
            <button type="button" class="link" data-testid="answer" onClick={() => onAnswer(message)}>
              Answer in words
            </button>
          )}
        </p>
      );
    case "Completed":
      return (
        <p class="message-state settled" data-testid="settled-by">
          <span aria-hidden="true">✓</span> Answered
          {message.response && ` by ${message.response.respondedBy.name ?? "someone"} at ${clock(message.response.respondedAt)}`}
          {acknowledged && ", taken up by the agent"}
        </p>
      );
    case "Cancelled":
      return <p class="message-state">Cancelled, no answer needed</p>;
    case "Expired":
      return (
        <p class="message-state">
          Expired without an answer{message.deadlineAt && ` at ${clock(message.deadlineAt)}`}
        </p>
      );
  }
}
