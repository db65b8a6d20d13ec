// What became of a request: still waiting (and for how long), answered by whom, cancelled, expired.
import type { VNode } from "preact";
import { type Actor, componentsOf, type Content, type Message } from "@hiloop/sdk/chat";
import { OutcomeMark } from "../components/outcome-mark";
import { actionLabel } from "../components/tree";
import { clock, countdown, fullTime } from "./format";
import { decided, givenAnswer } from "./given-answer";
import { useNow } from "./hooks";
import type { MessageProps } from "./message";

/** The rest is in the answer itself. */
const SHOWN = 120;

export function MessageState({ message, mine, answer, acknowledged, closed, barred, settledBy, onAnswer, onReceipt }: MessageProps): VNode {
  const pending = message.status === "Pending";
  const given = givenAnswer(message);
  const outcome = decided(message, given);
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
      if (settledBy?.state === "unverified") {
        return (
          <p class="message-state settled unproven" data-testid="settled-by" data-outcome="Unproven" tabIndex={-1}>
            <span aria-hidden="true">!</span> Not answered, as far as can be proven: the hub names an answer
            {message.response && ` of ${responder(message.response.respondedBy)}`}, but {settledBy.problem}.
          </p>
        );
      }
      return (
        <p class={`message-state settled ${outcome.toLowerCase()}`} data-testid="settled-by" data-outcome={outcome} tabIndex={-1}>
          <span>
            <OutcomeMark outcome={outcome} /> {outcome}
            {message.response && (
              <>
                {` by ${responder(message.response.respondedBy)} at `}
                <time dateTime={message.response.respondedAt} title={fullTime(message.response.respondedAt)}>
                  {clock(message.response.respondedAt)}
                </time>
              </>
            )}
            {acknowledged && ", taken up by the agent"}
          </span>
          <What message={message} given={given} />
          {settledBy?.state === "verified" && (
            <button type="button" class="link" data-testid="receipt" title="A file that proves who decided what" onClick={onReceipt}>
              Save receipt
            </button>
          )}
        </p>
      );
    case "Cancelled":
      return (
        <p class="message-state" data-testid="unanswered" tabIndex={-1}>
          Cancelled, no answer needed
        </p>
      );
    case "Expired":
      return (
        <p class="message-state" data-testid="unanswered" tabIndex={-1}>
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

/** The button that was pressed, or the words that were written; the values of a form stand in its card. */
function What({ message, given }: { message: Message; given: Content | null | undefined }): VNode | null {
  const { action, text } = given ?? {};
  const said = action === undefined ? text?.trim() : (actionLabel(componentsOf(message), action) ?? action);
  if (!said) return null;
  return (
    <q class="settled-what" dir="auto" data-testid="settled-what">
      {said.length > SHOWN ? `${said.slice(0, SHOWN).trimEnd()}…` : said}
    </q>
  );
}
