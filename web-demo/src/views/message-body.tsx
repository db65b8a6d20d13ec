// The body of a message: its opened content and components, or the reason why they can't be shown.
import type { VNode } from "preact";
import {
  asContent,
  type ComponentNode,
  componentsOf,
  type Content,
  decidedBy,
  isSealedByScheme,
  type Message,
  type Opened,
} from "@hiloop/sdk/chat";
import type { DraftPlace } from "../components/form/drafts";
import { GivenValues } from "../components/form/given-values";
import { OutcomeMark } from "../components/outcome-mark";
import { actionLabel } from "../components/labels";
import { ComponentTree, formFields } from "../components/tree";
import { type Answering, AnsweringContext } from "../components/types";
import { Unknown } from "../components/unknown";
import { Markdown } from "../markdown/markdown";
import { shownKey } from "../client/drafts";
import { LockIcon } from "./icons";
import { givenAnswer, openOnce } from "./given-answer";
import { LeftReason } from "./left-reason";
import type { MessageProps } from "./message-props";
import { ClosedMessage, isUnproven } from "./message-seal";
import { ReasonField, useKeptReason, withReason } from "./reason-field";
import { useUnsent } from "./unsent-context";

export function MessageBody(props: MessageProps): VNode | null {
  const { message, answer, closed, barred, onAction } = props;
  const reason = useKeptReason(message);
  const { owner, drafts } = useUnsent();
  const isAnswerable = message.responseRequired ? message.status === "Pending" : !isUnproven(props);
  const given = givenAnswer(props);
  const answering: Answering = {
    enabled: !closed && barred === null && isAnswerable && answer?.item.problem?.kind !== "settled",
    busy: answer?.state === "sending",
    failed: answer?.state === "failed",
    settles: message.responseRequired,
    chosen: (answer?.state === "sending" ? answer.action : null) ?? given?.action ?? null,
    settled: message.responseRequired && message.status !== "Pending",
    given,
    draft: draftPlace(owner, message),
    reason,
    answer: (content) => onAction(withReason(drafts, message, content)),
  };
  return (
    <AnsweringContext.Provider value={answering}>
      {isSealedByScheme(message.encryptedContent) ? <SealedBody {...props} /> : <PlainBody {...props} />}
      {message.responseRequired && answering.enabled && !answering.busy && <ReasonField message={message} />}
      {answering.settled && <LeftReason message={message} />}
    </AnsweringContext.Provider>
  );
}

function draftPlace(owner: string, message: Message): DraftPlace {
  return { key: `${owner}.${shownKey(message)}`, keep: isSealedByScheme(message.encryptedContent) || owner.startsWith("guest-") ? "tab" : "browser" };
}

function SealedBody(props: MessageProps): VNode | null {
  const { opened, replied } = props;
  if (opened?.state !== "verified") return <ClosedMessage {...props} />;
  if (!opened.content && !opened.components) return <p class="hint">Shared the keys of earlier messages.</p>;
  return (
    <>
      {opened.content && <ContentFields content={opened.content} replied={replied} />}
      {opened.components && <ComponentTree value={opened.components} />}
    </>
  );
}

function PlainBody({ message, replied }: MessageProps): VNode {
  const content = openOnce(message.encryptedContent);
  const components = openOnce(message.encryptedComponents);
  return (
    <>
      {content && <ContentView opened={content} replied={replied} />}
      {components && <ComponentsView opened={components} />}
      {!content && !components && <p class="hint">This message is empty.</p>}
    </>
  );
}

function ContentView({ opened, replied }: { opened: Opened; replied: Message | null | undefined }): VNode {
  if (opened.kind !== "json") return <Closed opened={opened} what="message" />;
  const content = asContent(opened.value);
  if (!content) return <Unknown label="content" value={opened.value} />;
  return <ContentFields content={content} replied={replied} />;
}

function ContentFields({ content, replied }: { content: Content; replied: Message | null | undefined }): VNode {
  const { outcome } = decidedBy(content, (componentsOf(replied) ?? null) as ComponentNode | null, null);
  return (
    <>
      {content.text !== undefined && <Markdown text={content.text} />}
      {content.action !== undefined && (
        <p class="chosen-action" data-testid="chosen-action" data-action={content.action}>
          <OutcomeMark outcome={outcome} /> <span dir="auto">{labelOf(content.action, replied)}</span>
        </p>
      )}
      {content.outcome === "Rejected" && content.action === undefined && !content.values && (
        <p class="chosen-action" data-testid="declined">
          <OutcomeMark outcome="Rejected" /> Declined
        </p>
      )}
      {content.values && <GivenValues fields={formFields(componentsOf(replied))} values={content.values} />}
    </>
  );
}

function ComponentsView({ opened }: { opened: Opened }): VNode {
  if (opened.kind !== "json") return <Closed opened={opened} what="card" />;
  return <ComponentTree value={opened.value} />;
}

function Closed({ opened, what }: { opened: Exclude<Opened, { kind: "json" }>; what: string }): VNode {
  if (opened.kind === "encrypted") {
    return (
      <p class="sealed" data-testid="encrypted">
        <LockIcon /> Encrypted {what} ({opened.scheme}). This page does not hold the key to it.
      </p>
    );
  }
  return (
    <div class="raw" data-testid="raw">
      <small>{opened.reason === "no-scheme" ? `Unsealed ${what}, as it was sent` : `Unreadable ${what}, as it was sent`}</small>
      <p dir="auto">{opened.text}</p>
    </div>
  );
}

function labelOf(action: string, replied: Message | null | undefined): string {
  return actionLabel(componentsOf(replied), action) ?? action;
}
