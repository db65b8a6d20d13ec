// The text of the messages that this tab has loaded, for the search. In memory only: some of it was encrypted.
import { verdictOf, whenOf } from "./verdict";
import { authorName, componentsOf, contentOf, isUnproven, type LiveSession, type Message, preview } from "@hiloop/sdk/chat";

export interface LoadedMessage {
  id: string;
  sender: string;
  text: string;
  at: string;
  /** It says what was decided, by whom and why. `about`: of which question. */
  verdict?: { about: string };
}

const MAX_MESSAGES = 2_000;
const MAX_SESSIONS = 50;
const MAX_LENGTH = 4_000;
const MAX_DEPTH = 12;
/** Fields that are no words for people. */
const NAMES: ReadonlySet<string> = new Set(["type", "id", "action", "variant", "name", "level"]);

export class LoadedText {
  private readonly sessions = new Map<string, LoadedMessage[]>();

  /** Of a conversation that is about to be left. */
  remember(live: LiveSession): void {
    this.sessions.delete(live.id);
    this.sessions.set(live.id, textsOf(live));
    if (this.sessions.size > MAX_SESSIONS) this.sessions.delete(this.sessions.keys().next().value as string);
  }

  /** By conversation; the open one as it is now. */
  all(current: LiveSession | null): ReadonlyMap<string, readonly LoadedMessage[]> {
    return current ? new Map([...this.sessions, [current.id, textsOf(current)]]) : this.sessions;
  }
}

function textsOf(live: LiveSession): LoadedMessage[] {
  return live.timeline.all().slice(-MAX_MESSAGES).map((message) => loaded(message, live));
}

function loaded(message: Message, live: LiveSession): LoadedMessage {
  const said = isUnproven(message) ? [] : [contentOf(message)?.text ?? "", ...stringsIn(componentsOf(message))];
  const question = live.repliedTo(message) ?? null;
  const verdict = verdictOf(message, (id) => live.isOwn(id), question);
  const at = whenOf(message);
  if (verdict !== null) return { id: message.id, sender: authorName(message), text: verdict, at, verdict: { about: question ? preview(question) : "" } };
  const words = said.filter((text) => text.trim() !== "");
  return { id: message.id, sender: authorName(message), text: words.join(" ").slice(0, MAX_LENGTH) || preview(message), at };
}

/** Every text within components, the names of their fields and types left out. */
function stringsIn(value: unknown, depth = 0): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null || depth > MAX_DEPTH) return [];
  const parts = Array.isArray(value) ? value : Object.entries(value).flatMap(([name, part]) => (NAMES.has(name) ? [] : [part]));
  return parts.flatMap((part) => stringsIn(part, depth + 1));
}
