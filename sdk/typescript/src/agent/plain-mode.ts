// Without encryption: the hub can read the messages, and is trusted with the answers.
import { isObject } from "../e2e/bytes.js";
import { type OpenedMessage, readPlain } from "../e2e/messages.js";
import type { Header } from "../e2e/header.js";
import { open, sealPlain, textOf } from "../envelope.js";
import type { Actor, ComponentNode, Content, Envelope, Message } from "../types.js";
import { type Draft, openFields } from "./content.js";
import { answered, Decision, unanswered } from "./decision.js";
import type { Asked, Mode, Outgoing } from "./mode.js";
import { MARK } from "./question-key.js";

export class PlainMode implements Mode {
  message(_agent: string | null, _sessionId: string, draft: Draft): Promise<Outgoing> {
    const { content, components } = draft.plain;
    const body = {
      ...(content ? { encryptedContent: sealPlain(content) } : {}),
      ...(components ? { encryptedComponents: sealPlain(components) } : {}),
      ...openFields(draft),
    };
    const sent = (message: Message): Asked | null =>
      message.responseRequired ? askedIn(message, draft.components, draft.mark, draft.plain) : null;
    return Promise.resolve({ body, sent });
  }

  title(_agent: string | null, _sessionId: string, title: string): Promise<{ title: string }> {
    return Promise.resolve({ title });
  }

  titleOf(
    _agent: string | null,
    { title, encryptedTitle }: { title: string | null; encryptedTitle: Envelope | null },
  ): Promise<string | null> {
    return Promise.resolve(textOf(encryptedTitle) ?? title);
  }

  block(_agent: string | null, _sessionId: string, components: ComponentNode): Promise<Envelope> {
    return Promise.resolve(sealPlain({ components }));
  }

  question(_agent: string | null, message: Message): Promise<Asked> {
    const { content, components } = readPlain(message.encryptedContent, message.encryptedComponents);
    return Promise.resolve(askedIn(message, components, markIn(message.encryptedContent), { content, ...(components ? { components } : {}) }));
  }

  decision(_agent: string | null, asked: Asked, settled: Message): Promise<Decision> {
    const { response, status } = settled;
    if (status !== "Completed" || !response) return Promise.resolve(unanswered(settled));
    const envelope = response.encryptedContent;
    const { state, content } = readPlain(envelope, null);
    // What can't be read decides nothing.
    if (envelope && state !== "plain") {
      const { messageId, respondedBy, respondedAt } = response;
      return Promise.resolve(new Decision({ status: "answered", message: settled, messageId, respondent: respondedBy, respondedAt }));
    }
    return Promise.resolve(answered(settled, content, asked.components, response.outcome ?? null));
  }

  remark(_agent: string | null, message: Message): Promise<Decision> {
    return Promise.resolve(remarkOf(message, readPlain(message.encryptedContent, message.encryptedComponents).content));
  }

  read(_agent: string | null, messages: readonly Message[]): Promise<OpenedMessage[]> {
    return Promise.resolve(
      messages.map(({ encryptedContent, encryptedComponents }) => readPlain(encryptedContent, encryptedComponents)),
    );
  }
}

/** A message of a person that answers no question. */
export function remarkOf(message: Message, content: Content | null, header: Header | null = null): Decision {
  const respondent: Actor = {
    type: message.senderGuestId ? "Guest" : "Human",
    id: header?.from.id ?? message.senderGuestId ?? message.senderHumanId,
    name: message.senderName,
  };
  const text = content?.text;
  return new Decision({
    status: "answered",
    message,
    content: text === undefined ? null : { text },
    values: content?.values ?? null,
    respondent,
    respondedAt: header?.at ?? message.createdAt,
    messageId: message.id,
  });
}

function askedIn(
  message: Message,
  components: ComponentNode | null,
  mark: string | null,
  plain: Record<string, unknown>,
): Asked {
  return { plain, sessionId: message.sessionId, messageId: message.id, components, deadlineAt: message.deadlineAt, mark, sealed: null };
}

function markIn(envelope: Envelope | null): string | null {
  const opened = envelope && open(envelope);
  const content = opened?.kind === "json" ? opened.value : null;
  const mark = isObject(content) ? content[MARK] : null;
  return typeof mark === "string" ? mark : null;
}
