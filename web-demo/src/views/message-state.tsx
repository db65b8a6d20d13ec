// What became of a request: still waiting (and for how long), answered by whom, cancelled, expired.
import type { VNode } from "preact";
import {
  asContent,
  type Author,
  type Claimed,
  claimedResponder,
  type ComponentNode,
  componentsOf,
  decidedBy,
  type Message,
  open,
  type Outcome,
  type SettledBy,
} from "@hiloop/sdk/chat";
import { clock, countdown, fullTime } from "./format";
import { useNow } from "./hooks";
import type { MessageProps } from "./message";

export function MessageState(props: MessageProps): VNode {
  const { message, mine, answer, acknowledged, closed, barred, settledBy, sealedSession, hasKeys, onAnswer, onReceipt } = props;
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
      return <Settled message={message} settledBy={settledBy} acknowledged={acknowledged} onReceipt={onReceipt} />;
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

function Unchecked({ hasKeys }: { hasKeys: boolean }): VNode {
  return (
    <p class="message-state" data-testid="unchecked">
      {hasKeys ? "Checking the answer…" : "An answer may be there. It can be checked once your keys are in this browser."}
    </p>
  );
}

function Unproven({ message, settledBy }: { message: Message; settledBy: SettledBy }): VNode {
  return (
    <p class="message-state settled unproven" data-testid="settled-by" data-outcome="Unproven">
      <span aria-hidden="true">!</span> Not answered, as far as can be proven: the hub names an answer
      {message.response && ` of ${responder(claimedResponder(message.response.respondedBy))}`}, but{" "}
      {settledBy.problem ?? "it is in plain text"}.
    </p>
  );
}

interface SettledProps {
  message: Message;
  settledBy: SettledBy | undefined;
  acknowledged: boolean;
  onReceipt: () => void;
}

function Settled({ message, settledBy, acknowledged, onReceipt }: SettledProps): VNode {
  const { response } = message;
  const outcome = outcomeOf(message, settledBy);
  const by = settledBy?.author ?? (response && claimedResponder(response.respondedBy));
  const at = settledBy?.at ?? response?.respondedAt;
  return (
    <p class={`message-state settled ${outcome.toLowerCase()}`} data-testid="settled-by" data-outcome={outcome}>
      <span aria-hidden="true">{outcome === "Rejected" ? "✕" : "✓"}</span> {outcome}
      {by && at && ` by ${responder(by)} at ${clock(at)}`}
      {acknowledged && ", taken up by the agent"}
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

/** What the answer decided, by the rule of the agents. The outcome in clear counts without encryption alone. */
function outcomeOf(message: Message, settledBy: SettledBy | undefined): Outcome {
  const { response, outcome } = message;
  const content = settledBy ? settledBy.content : plainContent(response);
  const clear = settledBy?.state === "verified" ? undefined : (response?.outcome ?? outcome ?? null);
  return decidedBy(content ?? {}, (componentsOf(message) ?? null) as ComponentNode | null, clear).outcome;
}

function plainContent(response: Message["response"]) {
  const opened = response?.encryptedContent ? open(response.encryptedContent) : null;
  return opened?.kind === "json" ? asContent(opened.value) : null;
}
