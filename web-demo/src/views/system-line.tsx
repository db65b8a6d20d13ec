// A small line for an event that is not a message.
import type { VNode } from "preact";
import { FOREIGN_EVENT, type HubEvent, type LiveSession, type Participant, preview, type Session, type Timeline, titleTextOf } from "@hiloop/sdk/chat";
import { clock, fullTime } from "./format";
import { JoinedWarning } from "./seal-news";

export function SystemLine({ event, live }: { event: HubEvent; live: LiveSession }): VNode {
  const { timeline } = live;
  return (
    <p class="system-line" data-testid="system-line" data-row={event.seq} data-seq={event.seq} data-type={event.type} title={fullTime(event.at)}>
      <span dir="auto">{sentence(event, timeline)}</span> <time dateTime={event.at}>{clock(event.at)}</time>
      {event.type === "participant.added" && <JoinedWarning live={live} added={event.data?.participant} />}
    </p>
  );
}

function sentence(event: HubEvent, timeline: Timeline): string {
  const who = event.actor?.name ?? "Hiloop";
  const data = event.data ?? {};
  const participant = (data.participant ?? data) as Partial<Participant>;
  const request = (): string => {
    const message = timeline.message(String(data.messageId ?? ""));
    return message ? `“${shorten(preview(message))}”` : "a request";
  };
  switch (event.type) {
    case "session.created":
      return `${who} started the conversation`;
    case "session.updated": {
      const session = (data.session ?? data) as Partial<Session>;
      const title = titleTextOf({ id: event.sessionId, title: session.title ?? null, encryptedTitle: session.encryptedTitle ?? null });
      return title ? `${who} updated the conversation: ${title}` : `${who} updated the conversation`;
    }
    case "session.closed":
      return `${who} closed the conversation`;
    case "session.archived":
      return `${who} archived the conversation`;
    case "participant.added":
      if (!participant.name || participant.name === event.actor?.name) return `${who} joined`;
      return participant.type === "Guest" ? `${who} invited ${participant.name} as a guest` : `${who} added ${participant.name}`;
    case "participant.removed":
      return participant.name ? `${participant.name} left the conversation` : `${who} removed someone`;
    case "message.cancelled":
      return `${who} withdrew ${request()}`;
    case "message.expired":
      return `Time ran out for ${request()}`;
    case "message.acknowledged":
      return `${who} took up the answer to ${request()}`;
    case "blocks.pushed":
      return `${who} added details`;
    case "participant.key_changed": {
      const owner = timeline.person(String(data.participantId ?? ""))?.name ?? event.actor?.name ?? "Someone";
      return `${owner} has a new encryption key`;
    }
    case FOREIGN_EVENT:
      return "The hub sent something of another conversation here. It is not shown";
    default:
      // An event of a newer hub, unknown to this page.
      return `${who}: ${event.type.replace(/[._]/g, " ")}`;
  }
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60).trimEnd()}…` : text;
}
