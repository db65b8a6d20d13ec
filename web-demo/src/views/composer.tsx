// The input of messages: Enter sends, Shift+Enter starts a new line. The draft and what it is for are kept.
import type { TargetedKeyboardEvent, TargetedSubmitEvent, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { LiveSession } from "@hiloop/sdk/chat";
import type { Draft, Target } from "../client/drafts";
import { type Aim, aimOf } from "../client/target";
import { holdMs } from "../client/undo";
import { ComposerTarget } from "./composer-target";
import { CopyText } from "./copy-text";
import { useStore } from "./hooks";
import { SendIcon } from "./icons";
import { showMessage } from "./jump";
import { SealLine } from "./seal-line";
import { useUnsent } from "./unsent-context";

const EMPTY: Draft = { text: "", target: null };

export function Composer({ live }: { live: LiveSession }): VNode {
  const { drafts } = useUnsent();
  useStore(drafts);
  const draft = drafts.get(live.id);
  const { text } = draft;
  /** The questions that were open when the person said that they just write. */
  const [besides, setBesides] = useState<string | null>(null);
  const [mustChoose, setMustChoose] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const active = live.session === null || live.session.status === "Active";
  const blocked = live.isBlocked;
  const pending = live.timeline.pending().map(({ id }) => id);
  /** As it is now: what was typed last may not be drawn yet. */
  const current = (): { draft: Draft; aim: Aim } => {
    const now = drafts.get(live.id);
    return { draft: now, aim: aimOf(live, now, besides !== null && pending.every((id) => besides.includes(id))) };
  };
  const { aim } = current();

  useLayoutEffect(() => {
    const el = area.current;
    if (!el) return;
    el.style.height = "auto";
    el.style.height = `${Math.min(el.scrollHeight + 2, 200)}px`;
  }, [text, active]);

  // Focus on computers only: on a phone the keyboard would cover the conversation.
  useEffect(() => {
    if (matchMedia("(pointer: fine)").matches) area.current?.focus();
  }, [live]);

  const write = (value: string): void => {
    // What the first words are for stays, whatever is asked or settled meanwhile.
    const { draft, aim } = current();
    const chosen = draft.text === "" && draft.target?.kind === "ask-back" ? aim.target : draft.target;
    const target = value.trim() === "" && draft.text === "" ? draft.target : (chosen ?? aim.target);
    drafts.set(live.id, { text: value, target: value === "" && draft.target?.kind !== "ask-back" ? null : target });
  };

  const choose = (target: Target): void => {
    setMustChoose(false);
    if (target.kind === "message" && aim.open.length > 1) setBesides(pending.join(" "));
    const { text, target: before } = drafts.get(live.id);
    drafts.set(live.id, { text, target });
    // Nobody answers what is out of sight.
    const isOther = target.kind === "answer" && (before === null || before.kind === "message" || before.messageId !== target.messageId);
    if (isOther) showMessage(live, target.messageId);
    area.current?.focus({ preventScroll: true });
  };

  const say = (target: Target): void => {
    const body = drafts.get(live.id).text.trim();
    if (body === "" || !active || blocked) return;
    const inReplyTo = target.kind === "message" ? null : { id: target.messageId, about: target.title, digest: target.digest };
    // After a question back comes another one rather than the answer, which would close the request.
    drafts.set(live.id, target.kind === "ask-back" ? { text: "", target } : EMPTY);
    setMustChoose(false);
    const deadlineAt = target.kind === "answer" ? (live.timeline.message(target.messageId)?.deadlineAt ?? null) : null;
    live.say(body, { inReplyTo, settles: target.kind === "answer", holdMs: holdMs(deadlineAt) });
  };

  const send = (): void => {
    const { draft, aim } = current();
    if (draft.text.trim() === "" || aim.gone) return;
    if (aim.target) say(aim.target);
    else setMustChoose(true);
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Escape" && aim.target && aim.target.kind !== "message" && !aim.gone) return choose({ kind: "message" });
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    send();
  };

  const submit = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    send();
    area.current?.focus();
  };

  if (!active) return <ClosedComposer live={live} text={text} onDiscard={() => drafts.set(live.id, EMPTY)} />;

  const kind = aim.target?.kind ?? "message";
  return (
    <footer class="composer">
      <ComposerTarget
        live={live}
        aim={aim}
        text={text}
        mustChoose={mustChoose}
        onTarget={choose}
        onSendAsMessage={() => say({ kind: "message" })}
        onDiscard={() => drafts.set(live.id, EMPTY)}
      />
      <SealLine live={live} replied={aim.target && aim.target.kind !== "message" ? (live.message(aim.target.messageId) ?? null) : null} />
      <form onSubmit={submit}>
        <textarea
          ref={area}
          rows={1}
          value={text}
          data-testid="composer"
          aria-label={LABELS[kind]}
          placeholder={PLACEHOLDERS[kind]}
          dir="auto"
          enterkeyhint="send"
          onInput={(event) => {
            write(event.currentTarget.value);
            live.notice.input(event.currentTarget.value);
          }}
          onBlur={() => live.notice.stop()}
          onKeyDown={onKeyDown}
        />
        <button type="submit" class="send" data-testid="send" aria-label="Send" disabled={text.trim() === "" || blocked || aim.gone !== null}>
          <SendIcon />
        </button>
      </form>
    </footer>
  );
}

const LABELS: Record<Target["kind"], string> = { answer: "Your answer", "ask-back": "Your question back", message: "Message" };
const PLACEHOLDERS: Record<Target["kind"], string> = { answer: "Write your answer", "ask-back": "Ask back", message: "Write a message" };

/** What was being written when the conversation was closed stays, to be used elsewhere. */
function ClosedComposer({ live, text, onDiscard }: { live: LiveSession; text: string; onDiscard: () => void }): VNode {
  return (
    <footer class="composer closed" data-testid="composer-closed">
      <p>This conversation is {live.session?.status.toLowerCase()}.</p>
      {text.trim() !== "" && (
        <div class="not-sent" data-testid="closed-draft">
          <p role="alert">It was closed before you sent this:</p>
          <blockquote dir="auto" data-testid="kept-text">
            {text}
          </blockquote>
          <p class="not-sent-actions">
            <CopyText text={text} />
            <button type="button" class="link" data-testid="discard-draft" onClick={onDiscard}>
              Discard
            </button>
          </p>
        </div>
      )}
    </footer>
  );
}
