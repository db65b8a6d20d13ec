// What became of a request: still waiting (and for how long), answered by whom, cancelled, expired.
import type { VNode } from "preact";
import { type Actor, asContent, type Message, open, type Outcome, outcomeOf } from "@hiloop/sdk/chat";
import { clock, countdown, fullTime } from "./format";
import { useNow } from "./hooks";
import type { MessageProps } from "./message";

export function MessageState({ message, mine, answer, acknowledged, closed, barred, onAnswer }: MessageProps): VNode {
  const pending = message.status === "Pending";
  const outcome = decided(message);
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
          {barred !== null && !closed && <span data-testid="barred">{barred}</span>}
          {!mine && !closed && barred === null && (
            <button type="button" class="link" data-testid="answer" onClick={() => onAnswer(message)}>
              Answer in words
            </button>
          )}
        </p>
      );
    case "Completed":
      return (
        <p class={`message-state settled ${outcome.toLowerCase()}`} data-testid="settled-by" data-outcome={outcome}>
          <span aria-hidden="true">{outcome === "Rejected" ? "✕" : "✓"}</span> {outcome}
          {message.response && ` by ${responder(message.response.respondedBy)} at ${clock(message.response.respondedAt)}`}
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

function responder({ type, name, invitedBy }: Actor): string {
  const who = name ?? "someone";
  if (type !== "Guest") return who;
  return invitedBy?.name ? `${who} (guest, invited by ${invitedBy.name})` : `${who} (guest)`;
}

/** What the answer decided: as it says under its seal, else as it said in clear. */
function decided({ response, outcome }: Message): Outcome {
  const opened = response?.encryptedContent ? open(response.encryptedContent) : null;
  const content = opened?.kind === "json" ? asContent(opened.value) : null;
  if (content?.outcome) return content.outcome;
  if (content?.action !== undefined) return outcomeOf(content.action);
  return response?.outcome ?? outcome ?? "Answered";
}
