// The search: conversations by title, messages by their text, as far as they are loaded.
import type { TargetedKeyboardEvent, VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { authorName, authorOf, isUnproven, type Message, sessionTitle } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import { decisionsOf, latest } from "../client/decisions";
import { type Hit, search, type SearchRow } from "../client/search";
import { lineOf, verdictOf, whenOf } from "../client/verdict";
import { Dialog } from "./dialog";
import { dayAndTime, fullTime } from "./format";
import { useStore } from "./hooks";
import type { PageDialogProps } from "./page-dialog-props";

/** Its list is the one below, not a `datalist`. */
const COMBOBOX: object = { role: "combobox" };

/** Conversations whose decisions are read for the search. */
const LOOKED = 100;

export function SearchDialog({ hub, onClose }: PageDialogProps): VNode {
  useStore(hub);
  useStore(hub.feed);
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const { items, total } = hub.feed;
  const decisions = useStore(decisionsOf(hub));
  const [onlyDecisions, setOnlyDecisions] = useState(false);
  const loaded = useMemo(() => hub.texts.all(hub.current), [items]);
  const rows = useMemo(() => rowsOf(hub), [items]);
  const { version, left } = decisions;
  const hits = useMemo(() => search(query, rows, loaded, { decisions: decisions.of(items), onlyDecisions }), [query, rows, loaded, onlyDecisions, version]);
  const chosen = Math.min(active, hits.length - 1);

  useEffect(() => () => decisions.leave(), []);

  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

  const looked = onlyDecisions ? latest(items, LOOKED) : [];
  const state = decisions.stateOf(looked);
  useEffect(() => {
    if (onlyDecisions) void decisions.look(looked);
  }, [state]);

  const showDecisions = (): void => {
    setOnlyDecisions(!onlyDecisions);
    setActive(0);
    input.current?.focus();
  };

  const open = (hit: Hit | undefined): void => {
    if (!hit) return;
    onClose();
    if (hit.messageId !== null) hub.show(hit.sessionId, hit.messageId, true);
    else location.hash = `#/s/${hit.sessionId}`;
  };

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0) setActive(Math.max(0, Math.min(hits.length - 1, chosen + step)));
    else if (event.key === "Enter" && !event.isComposing) open(hits[chosen]);
    else return;
    event.preventDefault();
  };

  return (
    <Dialog title="Search" onClose={onClose}>
      <input
        type="search"
        ref={input}
        data-testid="search-input"
        aria-label="Search titles and messages"
        placeholder="Titles and messages"
        autocomplete="off"
        autofocus
        {...COMBOBOX}
        aria-expanded={hits.length > 0}
        aria-controls="search-hits"
        aria-activedescendant={hits.length > 0 ? `search-hit-${chosen}` : undefined}
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div class="filters">
        <button type="button" class="filter" data-testid="only-decisions" aria-pressed={onlyDecisions} onClick={showDecisions}>
          Decisions
        </button>
      </div>
      <ul id="search-hits" class="search-hits" ref={list} role="listbox" aria-label="Results">
        {hits.map((hit, i) => (
          <li id={`search-hit-${i}`} key={`${hit.sessionId} ${hit.messageId}`} role="option" aria-selected={i === chosen} data-testid="search-hit" onClick={() => open(hit)}>
            <span class="search-head">
              <b dir="auto">{hit.title}</b>
              <time dateTime={hit.at} title={fullTime(hit.at)}>
                {dayAndTime(hit.at)}
              </time>
            </span>
            {hit.about && (
              <small class="search-about" dir="auto">
                {hit.about}
              </small>
            )}
            <small dir="auto">{hit.line}</small>
          </li>
        ))}
      </ul>
      <p class="search-reach" role="status" data-testid="search-reach">
        {left > 0 ? `Looking in ${left} more conversations… ` : hits.length === 0 && "Nothing found. "}
        {reach(items.length, total, onlyDecisions)}{" "}
        {items.length < total && !onlyDecisions && (
          <button type="button" class="link" onClick={() => void hub.feed.loadMore()}>
            Load more
          </button>
        )}
      </p>
    </Dialog>
  );
}

function reach(count: number, total: number, onlyDecisions: boolean): string {
  if (onlyDecisions) return `Of the last ${Math.min(count, LOOKED)} conversations the last 200 events are searched, and what was opened in this tab.`;
  if (count < total) return `Searched ${count} of ${total} conversations, and the messages opened in this tab.`;
  return "Of conversations that were not opened in this tab, titles and last messages are searched.";
}

function rowsOf(hub: Hub): SearchRow[] {
  const { feed, requests, agents } = hub;
  return feed.items.map((item) => {
    const { session, lastMessage } = item;
    const shown = requests.of(item) ?? lastMessage;
    return { sessionId: session.id, title: sessionTitle(session, { agents, lastMessage }), line: lineWith(shown, hub), messageId: shown?.id ?? null, at: shown ? whenOf(shown) : session.updatedAt };
  });
}

/** With its author, whom an answer names itself. */
function lineWith(message: Message | null, hub: Hub): string {
  const isMe = (id: string | null): boolean => hub.isMe(id);
  const line = lineOf(message, isMe);
  if (!message || verdictOf(message, isMe) !== null || isUnproven(message)) return line;
  return `${isMe(authorOf(message).id) ? "You" : authorName(message)}: ${line}`;
}
