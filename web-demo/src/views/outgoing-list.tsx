// What one has said and is not on the timeline yet: on its way, waiting for the connection, or not sent and why.
import type { VNode } from "preact";
import { type LiveSession, mayBeAtHub, type Outgoing } from "@hiloop/sdk/chat";
import { Markdown } from "../markdown/markdown";
import { AnswerHandedOver } from "./answer-signed";
import { CopyText } from "./copy-text";
import { endingOf, isAsked, refusedText, settledText, unsentText } from "./problem-text";
import { useUnsent } from "./unsent-context";

export function OutgoingList({ live }: { live: LiveSession }): VNode {
  return (
    <>
      {live.outgoing.map((item) => (
        <article class="message mine outgoing" key={item.id} data-testid="outgoing" data-state={item.state} aria-label={LABELS[item.state]}>
          <div class="bubble-column">
            <div class="bubble">
              {item.about !== null && (
                <p class="quote" dir="auto">
                  {item.about}
                </p>
              )}
              {item.content.text !== undefined && <Markdown text={item.content.text} />}
              {item.content.action !== undefined && <p class="chosen-action">{item.content.action}</p>}
            </div>
            <State live={live} item={item} />
          </div>
        </article>
      ))}
    </>
  );
}

const LABELS: Record<Outgoing["state"], string> = {
  held: "Your message, not sent yet",
  queued: "Your message, being sent",
  sending: "Your message, being sent",
  waiting: "Your message, waiting for the connection",
  sent: "Your message, sent",
  failed: "Your message, not sent",
  settled: "Your answer, not sent",
};

function State({ live, item }: { live: LiveSession; item: Outgoing }): VNode {
  const { outbox, isMe } = useUnsent();
  const { id, state, problem, error, content } = item;
  const question = live.message(item.inReplyTo ?? "") ?? null;
  const isHandedOver = mayBeAtHub(item) && (state === "waiting" || problem?.kind === "refused");
  if (isHandedOver) return <AnswerHandedOver item={item} message={question} />;
  const discard = (
    <button type="button" class="link" data-testid="discard" onClick={() => outbox.discard(id)}>
      Discard
    </button>
  );
  const again = (
    <button type="button" class="link" data-testid="retry" onClick={() => outbox.retry(id)}>
      {state === "waiting" ? "Try now" : problem?.kind === "refused" && isAsked(problem.code) ? "Send it" : "Send again"}
    </button>
  );
  if (problem?.kind === "settled") {
    return (
      <div class="not-sent" data-testid="not-sent" data-kind="settled">
        <p role="alert" data-testid="late">
          {settledText(problem.status, endingOf(item, problem, question, question ? live.seals.settledBy(question) : undefined), isMe)} {unsentText(item, question)}
        </p>
        <p class="not-sent-actions">
          <button type="button" class="link" data-testid="send-as-message" onClick={() => outbox.sendAsMessage(id)}>
            Send it as a message
          </button>
          <CopyText text={content.text ?? ""} />
          {discard}
        </p>
      </div>
    );
  }
  if (problem) {
    const isUnconfirmed = problem.code === "NOT_AUTHENTICATED" && content.text !== undefined;
    return (
      <p class="message-state">
        <span class="form-error" role="alert">
          {refusedText(problem)}
        </span>
        {again}
        {isUnconfirmed && (
          <button type="button" class="link" data-testid="send-as-message" onClick={() => outbox.sendAsMessage(id)}>
            Send it as a message
          </button>
        )}
        {discard}
      </p>
    );
  }
  if (state === "waiting") {
    return (
      <p class="message-state">
        {error ? `Waiting: ${error}` : "Waiting for the connection"}
        {outbox.isKept ? "" : ". Keep this page open"}
        {again}
        {discard}
      </p>
    );
  }
  return <p class="message-state">{state === "sent" ? "Sent" : "Sending…"}</p>;
}
