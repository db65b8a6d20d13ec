// The body of a message: its opened content and components, or the reason why they can't be shown.
import type { VNode } from "preact";
import {
  asContent,
  componentsOf,
  type Content,
  type Envelope,
  isSealedByScheme,
  type Message,
  open,
  type Opened,
} from "@hiloop/sdk/chat";
import { actionLabel, ComponentTree } from "../components/tree";
import { type Answering, AnsweringContext } from "../components/types";
import { Unknown } from "../components/unknown";
import { Markdown } from "../markdown/markdown";
import { LockIcon } from "./icons";
import type { MessageProps } from "./message";
import { ClosedMessage, isUnproven } from "./message-seal";

export function MessageBody(props: MessageProps): VNode | null {
  const { message, answer, closed, barred, onAction } = props;
  const isAnswerable = message.responseRequired ? message.status === "Pending" : !isUnproven(props);
  const answering: Answering = {
    enabled: !closed && barred === null && isAnswerable,
    busy: answer?.state === "sending",
    chosen: answer?.action ?? chosenAction(props),
    answer: onAction,
  };
  return (
    <AnsweringContext.Provider value={answering}>
      {isSealedByScheme(message.encryptedContent) ? <SealedBody {...props} /> : <PlainBody {...props} />}
      {answer?.state === "failed" && (
        <p class="form-error" role="alert">
          Not sent: {answer.error}
        </p>
      )}
    </AnsweringContext.Provider>
  );
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
  return (
    <>
      {content.text !== undefined && <Markdown text={content.text} />}
      {content.action !== undefined && (
        <p class="chosen-action" data-testid="chosen-action" data-action={content.action}>
          <span aria-hidden="true">✓</span> {labelOf(content.action, replied)}
        </p>
      )}
      {content.values && <Unknown label="values" value={content.values} />}
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

function chosenAction({ message, settledBy, sealedSession }: MessageProps): string | null {
  if (settledBy || sealedSession) return settledBy?.content?.action ?? null;
  const opened = openOnce(message.response?.encryptedContent ?? null);
  return opened?.kind === "json" ? (asContent(opened.value)?.action ?? null) : null;
}

const cache = new WeakMap<Envelope, Opened>();

function openOnce(envelope: Envelope | null): Opened | null {
  if (!envelope) return null;
  let opened = cache.get(envelope);
  if (!opened) {
    opened = open(envelope);
    cache.set(envelope, opened);
  }
  return opened;
}
