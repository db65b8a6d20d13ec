// Above the composer: what the words are for. A lone open question is answered unless the person says otherwise; of
// several ones they choose; a question that was settled meanwhile is never exchanged silently for something else.
import type { VNode } from "preact";
import type { LiveSession } from "@hiloop/sdk/chat";
import type { QuestionTarget, Target } from "../client/drafts";
import { type Aim, type Gone, targetOf } from "../client/target";
import { settlementText } from "./settlement-text";

interface Props {
  live: LiveSession;
  aim: Aim;
  text: string;
  /** The person tried to send without having chosen. */
  mustChoose: boolean;
  onTarget: (target: Target) => void;
  onSendAsMessage: () => void;
  onDiscard: () => void;
}

export function ComposerTarget({ live, aim, text, mustChoose, onTarget, onSendAsMessage, onDiscard }: Props): VNode | null {
  const { target, gone, open } = aim;
  if (gone) {
    return (
      <div class="composer-hint gone" role="alert" data-testid="target-gone" data-why={gone.why}>
        <span class="wrap">
          {goneText(live, gone)} {text.trim() === "" ? "" : "Your words are still here."}
        </span>
        {gone.why === "unconfirmed" &&
          open.map((question) => (
            <button type="button" class="chip" key={question.id} data-testid="answer-next" data-question={question.id} onClick={() => onTarget(targetOf(question, "answer"))}>
              Answer: <span dir="auto">{targetOf(question, "answer").title}</span>
            </button>
          ))}
        {text.trim() !== "" && (
          <button type="button" class="link" data-testid="send-as-message" onClick={onSendAsMessage}>
            Send as a message
          </button>
        )}
        <button type="button" class="link" data-testid="discard-draft" onClick={onDiscard}>
          {text.trim() === "" ? "All right" : "Discard"}
        </button>
      </div>
    );
  }
  if (live.earlierRequests > 0 && (target?.kind ?? "message") === "message") {
    return (
      <p class="composer-hint">
        <span>{live.earlierRequests} earlier requests wait further up.</span>
        <button type="button" class="link" onClick={() => void live.loadOpenRequests()}>
          Load them
        </button>
      </p>
    );
  }
  if (target && target.kind !== "message") return <Aimed target={target} onTarget={onTarget} />;
  if (open.length === 0) return null;
  return (
    <div class={`composer-hint choose ${mustChoose ? "asking" : ""}`} role="group" aria-label="What your words are for" data-testid="choose-target">
      <span role={mustChoose ? "alert" : undefined}>
        {target ? "A message." : mustChoose ? "Choose first which one this answers:" : `${open.length} requests wait for you. Answer:`}
      </span>
      {open.map((question) => (
        <button
          type="button"
          class="chip"
          key={question.id}
          data-testid={target ? "answer-instead" : "answer-next"}
          data-question={question.id}
          onClick={() => onTarget(targetOf(question, "answer"))}
        >
          {target && "Answer: "}
          <span dir="auto">{targetOf(question, "answer").title}</span>
        </button>
      ))}
      {!target && (
        <button type="button" class="chip" data-testid="just-message" onClick={() => onTarget({ kind: "message" })}>
          None, just a message
        </button>
      )}
    </div>
  );
}

function goneText(live: LiveSession, gone: Gone): string {
  const named = `“${gone.target.title}”`;
  if (gone.why === "settled") return settlementText(live, gone.question);
  if (gone.why === "signed") return `You have signed an answer to ${named}, and the hub may have it.`;
  return `These words were for ${named}. That request can't be confirmed now, so they are not sent as an answer.`;
}

function Aimed({ target, onTarget }: { target: QuestionTarget; onTarget: (target: Target) => void }): VNode {
  const answers = target.kind === "answer";
  return (
    <p class="composer-hint answering" data-testid="answering" data-kind={target.kind}>
      <span>
        {answers ? "Answers: " : "Asks back, without answering: "}
        <q dir="auto">{target.title}</q>
      </span>
      <button
        type="button"
        class="chip"
        data-testid={answers ? "ask-back" : "answer-it"}
        title={answers ? "Your words go to the agent, and the request stays open" : "Your words answer the request"}
        onClick={() => onTarget({ ...target, kind: answers ? "ask-back" : "answer" })}
      >
        {answers ? "Ask back" : "Answer it"}
      </button>
      <button type="button" class="chip" data-testid="just-message" onClick={() => onTarget({ kind: "message" })}>
        Just a message
      </button>
    </p>
  );
}
