// What became of a request: still waiting (and for how long), answered by whom, cancelled, expired.
import type { VNode } from "preact";
import { type Actor, asContent, isSealedByScheme, type Message, open, type Outcome, outcomeOf, type SettledBy } from "@hiloop/sdk/chat";
import { AnswerGiven } from "./answer-given";
import { clock, countdown, fullTime } from "./format";
import { useNow } from "./hooks";
import type { MessageProps } from "./message";

export function MessageState({ message, mine, answer, acknowledged, closed, barred, settledBy, onAnswer, onReceipt }: MessageProps): VNode {
  const pending = message.status === "Pending";
  const outcome = decided(message, settledBy);
  const now = useNow(1_000, pending && message.deadlineAt !== null);
  if (answer?.state === "sending") return <AnswerGiven item={answer.item} message={message} />;
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
      if (settledBy?.state === "unverified") {
        return (
          <p class="message-state settled unproven" data-testid="settled-by" data-outcome="Unproven">
            <span aria-hidden="true">!</span> Not answered, as far as can be proven: the hub names an answer
            {message.response && ` of ${responder(message.response.respondedBy)}`}, but {settledBy.problem}.
          </p>
        );
      }
      return (
        <p class={`message-state settled ${outcome.toLowerCase()}`} data-testid="settled-by" data-outcome={outcome}>
          <span aria-hidden="true">{outcome === "Rejected" ? "✕" : "✓"}</span> {outcome}
          {message.response && ` by ${responder(message.response.respondedBy)} at ${clock(message.response.respondedAt)}`}
          {acknowledged && ", taken up by the agent"}
          {settledBy?.state === "verified" && (
            <button type="button" class="link" data-testid="receipt" title="A file that proves who decided what" onClick={onReceipt}>
              Save receipt
            </button>
          )}
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
function decided({ response, outcome }: Message, settledBy: SettledBy | undefined): Outcome {
  const content = settledBy ? settledBy.content : plainContent(response);
  if (content?.outcome) return content.outcome;
  if (content?.action !== undefined) return outcomeOf(content.action);
  // Beside a seal the outcome in clear is the hub's word.
  if (isSealedByScheme(response?.encryptedContent)) return "Answered";
  return response?.outcome ?? outcome ?? "Answered";
}

function plainContent(response: Message["response"]) {
  const opened = response?.encryptedContent ? open(response.encryptedContent) : null;
  return opened?.kind === "json" ? asContent(opened.value) : null;
}
