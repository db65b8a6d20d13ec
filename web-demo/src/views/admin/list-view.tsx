// A list with its state: what is being read, what failed, nothing there, and more of it.
import type { ComponentChildren, VNode } from "preact";
import type { List } from "./use-list";

interface Props<T> {
  list: List<T>;
  label: string;
  empty: string;
  testid: string;
  children: (row: T) => ComponentChildren;
}

export function ListView<T extends { id: string }>({ list, label, empty, testid, children }: Props<T>): VNode {
  const { rows, busy, error, hasMore, total } = list;
  return (
    <>
      {error && (
        <p class="form-error" role="alert" data-testid="list-error">
          {error}{" "}
          <button type="button" class="link" onClick={list.reload}>
            Try again
          </button>
        </p>
      )}
      {rows === null && !error && <p class="hint">Loading…</p>}
      {rows?.length === 0 && <p class="hint">{empty}</p>}
      {rows && rows.length > 0 && (
        <ul class="admin-list" aria-label={label} data-testid={testid}>
          {rows.map((row) => (
            <li key={row.id} data-testid="admin-row" data-id={row.id}>
              {children(row)}
            </li>
          ))}
        </ul>
      )}
      {hasMore && (
        <button type="button" class="button quiet" data-testid="list-more" disabled={busy} onClick={list.more}>
          Show more ({rows?.length} of {total})
        </button>
      )}
    </>
  );
}
