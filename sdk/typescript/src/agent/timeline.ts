// Events of a session with their messages opened.
import type { OpenedMessage } from "../e2e/messages.js";
import type { HubEvent, Message, TimelinePage } from "../types.js";
import type { Mode } from "./mode.js";

/** An event, and the content of the message that it brings. */
export interface ClientEvent extends HubEvent {
  /** Of `message.created`. */
  opened: OpenedMessage | null;
}

export interface ClientTimelinePage extends Omit<TimelinePage, "data"> {
  data: ClientEvent[];
}

export async function openedEvents(mode: Mode, agent: string | null, events: readonly HubEvent[]): Promise<ClientEvent[]> {
  const messages = events.map(messageOf);
  const opened = await mode.read(
    agent,
    messages.flatMap((message) => message ?? []),
  );
  return events.map((event, i) => ({ ...event, opened: messages[i] ? (opened.shift() ?? null) : null }));
}

export async function* openedLive(
  mode: Mode,
  agent: string | null,
  events: AsyncIterable<HubEvent>,
): AsyncGenerator<ClientEvent, void, undefined> {
  for await (const event of events) yield* await openedEvents(mode, agent, [event]);
}

function messageOf({ type, data }: HubEvent): Message | null {
  return type === "message.created" ? ((data?.message as Message | undefined) ?? null) : null;
}
