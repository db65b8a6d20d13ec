// What became of a request: still waiting (and for how long), answered by whom, cancelled, expired.
import type { VNode } from "preact";
import { type Author, type Claimed, claimedResponder, componentsOf, type Content, type Message, type SettledBy } from "@hiloop/sdk/chat";
import { OutcomeMark } from "../components/outcome-mark";
import { actionLabel } from "../components/labels";
import { formFields } from "../components/tree";
import { AskedBack } from "./asked-back";
import { AnswerGiven } from "./answer-given";
import { AnswerSigned } from "./answer-signed";
import { clock, countdown, fullTime } from "./format";
import { decided, givenAnswer } from "./given-answer";
import { useNow } from "./hooks";
import type { MessageProps } from "./message-props";

/** The rest is in the answer itself. */
const SHOWN = 120;

export function MessageState(props: MessageProps): VNode {
  const { message, mine, answer, signed, closed, barred, settledBy, sealedSession, hasKeys, onAnswer } = props;
  const pending = message.status === "Pending";
  const now = useNow(1_000, pending && message.deadlineAt !== null);
  // The event that settles it may come before the reply to one's own request.
  if (pending && answer?.state === "sending") return <AnswerGiven item={answer.item} message={message} />;
  // One that was refused is said below.
  if (pending && signed && !answer && !closed) return <AnswerSigned signed={signed} message={message} />;
  switch (message.status) {
    case "Pending":
      return (
        <p class="message-state">
          <span class="tag pending">Waiting for an answer</span>
          <AskedBack question={message} />
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
      // In an encrypted conversation nothing counts as decided before its signature is verified.
      if (sealedSession && settledBy?.state !== "verified") {
        return settledBy ? <Unproven message={message} settledBy={settledBy} /> : <Unchecked hasKeys={hasKeys} />;
      }
      return <Settled {...props} />;
    case "Cancelled":
      return (
        <p class="message-state" data-testid="unanswered" tabIndex={-1}>
          {sealedSession ? "Cancelled, as the hub says" : "Cancelled, no answer needed"}
        </p>
      );
    case "Expired":
      return (
        <p class="message-state" data-testid="unanswered" tabIndex={-1}>
          Expired without an answer{message.deadlineAt && ` at ${clock(message.deadlineAt)}`}
          {sealedSession && !isOver(message) && ", as the hub says"}
        </p>
      );
  }
}

/** By this clock, and a deadline that was signed. */
function isOver({ deadlineAt }: Message): boolean {
  return deadlineAt !== null && Date.parse(deadlineAt) <= Date.now();
}

function Unchecked({ hasKeys }: { hasKeys: boolean }): VNode {
  return (
    <p class="message-state" data-testid="unchecked" tabIndex={-1}>
      {hasKeys ? "Checking the answer…" : "An answer may be there. It can be checked once your keys are in this browser."}
    </p>
  );
}

function Unproven({ message: { response }, settledBy }: { message: Message; settledBy: SettledBy }): VNode {
  return (
    <p class="message-state settled unproven" data-testid="settled-by" data-outcome="Unproven" tabIndex={-1}>
      <span aria-hidden="true">!</span> Not answered, as far as can be proven: the hub names an answer
      {response && ` of ${responder(claimedResponder(response.respondedBy))}`}, but {settledBy.problem ?? "it is in plain text"}.
    </p>
  );
}

function Settled(props: MessageProps): VNode {
  const { message, settledBy, acknowledged, onReceipt } = props;
  const { response } = message;
  const outcome = decided(props);
  const by = settledBy?.author ?? (response && claimedResponder(response.respondedBy));
  const at = settledBy?.at ?? response?.respondedAt;
  return (
    <p class={`message-state settled ${outcome.toLowerCase()}`} data-testid="settled-by" data-outcome={outcome} tabIndex={-1}>
      <span>
        <OutcomeMark outcome={outcome} /> {outcome}
        {by && at && (
          <>
            {` by ${responder(by)} at `}
            <time dateTime={at} title={fullTime(at)}>
              {clock(at)}
            </time>
          </>
        )}
        {acknowledged && ", taken up by the agent"}
      </span>
      <What message={message} given={givenAnswer(props)} />
      {settledBy?.state === "verified" && (
        <button type="button" class="link" data-testid="receipt" title="A file that proves who decided what" onClick={onReceipt}>
          Save receipt
        </button>
      )}
    </p>
  );
}

function responder({ type, name, inviter }: Author | Claimed): string {
  const who = name ?? "someone";
  if (type !== "Guest") return who;
  return inviter ? `${who} (guest, invited by ${inviter})` : `${who} (guest)`;
}

/** The button that was pressed, or the words that were written; the values of a form stand in its card. */
function What({ message, given }: { message: Message; given: Content | null | undefined }): VNode | null {
  const { action, outcome, text } = given ?? {};
  // The card of a form says why it was declined.
  if (action === undefined && outcome === "Rejected" && formFields(componentsOf(message)).length > 0) return null;
  const said = action === undefined ? text?.trim() : (actionLabel(componentsOf(message), action) ?? action);
  if (!said) return null;
  return (
    <q class="settled-what" dir="auto" data-testid="settled-what">
      {said.length > SHOWN ? `${said.slice(0, SHOWN).trimEnd()}…` : said}
    </q>
  );
}
