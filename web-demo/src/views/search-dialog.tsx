// The search: conversations by title, messages by their text, as far as they are loaded.
import type { TargetedKeyboardEvent, VNode } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { sessionTitle } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import { type Hit, search, type SearchRow } from "../client/search";
import { lineOf } from "../client/verdict";
import { Dialog } from "./dialog";
import { useStore } from "./hooks";
import type { PageDialogProps } from "./page-dialog-props";

/** Its list is the one below, not a `datalist`. */
const COMBOBOX: object = { role: "combobox" };

export function SearchDialog({ hub, onClose }: PageDialogProps): VNode {
  useStore(hub.feed);
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const { items, total } = hub.feed;
  const loaded = useMemo(() => hub.texts.all(hub.current), [items]);
  const hits = useMemo(() => search(query, rowsOf(hub), loaded), [query, items, loaded]);
  const chosen = Math.min(active, hits.length - 1);

  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: "nearest" });
  }, [chosen]);

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
      <ul id="search-hits" class="search-hits" ref={list} role="listbox" aria-label="Results">
        {hits.map((hit, i) => (
          <li id={`search-hit-${i}`} key={`${hit.sessionId} ${hit.messageId}`} role="option" aria-selected={i === chosen} data-testid="search-hit" onClick={() => open(hit)}>
            <b dir="auto">{hit.title}</b>
            <small dir="auto">{hit.line}</small>
          </li>
        ))}
      </ul>
      <p class="search-reach" role="status" data-testid="search-reach">
        {hits.length === 0 && "Nothing found. "}
        {items.length < total ? `Searched ${items.length} of ${total} conversations, and the messages opened in this tab. ` : "Of conversations that were not opened in this tab, titles and last messages are searched."}
        {items.length < total && (
          <button type="button" class="link" onClick={() => void hub.feed.loadMore()}>
            Load more
          </button>
        )}
      </p>
    </Dialog>
  );
}

function rowsOf(hub: Hub): SearchRow[] {
  const { feed, requests, agents } = hub;
  return feed.items.map((item) => {
    const { session, lastMessage } = item;
    const shown = requests.of(item) ?? lastMessage;
    return { sessionId: session.id, title: sessionTitle(session, { agents, lastMessage }), line: lineOf(shown, (id) => hub.isMe(id)), messageId: shown?.id ?? null };
  });
}
