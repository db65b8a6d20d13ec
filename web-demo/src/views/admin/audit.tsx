// The audit log of the space: the newest entries first, filtered here, since the hub filters by time alone.
import type { TargetedEvent, VNode } from "preact";
import { useEffect, useMemo, useReducer, useRef, useState } from "preact/hooks";
import { AuditLog } from "@hiloop/sdk/manage";
import { type AuditFilter, EVENTS, NO_FILTER, passesFilter } from "./audit-words";
import { AuditRow } from "./audit-row";
import { useAdmin } from "./context";

const DAY_MS = 86_400_000;
const PERIODS: readonly (readonly [days: number, label: string])[] = [
  [0, "All that is kept (400 days)"],
  [1, "Last 24 hours"],
  [7, "Last 7 days"],
  [30, "Last 30 days"],
];

export function Audit(): VNode {
  const admin = useAdmin();
  const [days, setDays] = useState(0);
  const log = useMemo(() => new AuditLog(admin.manage, days === 0 ? null : Date.now() - days * DAY_MS), [days]);
  const current = useRef(log);
  current.current = log;
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [filter, setFilter] = useState<AuditFilter>(NO_FILTER);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const read = async (step: (log: AuditLog) => Promise<void>): Promise<void> => {
    setBusy(true);
    try {
      await step(log);
      setError(null);
    } catch (failure) {
      if (current.current === log) setError(admin.refused(failure));
    }
    if (current.current !== log) return;
    setBusy(false);
    redraw(undefined);
  };
  useEffect(() => void read((one) => one.readNewest()), [log]);

  const shown = log.entries.filter((entry) => passesFilter(entry, filter));
  const set = (name: keyof AuditFilter) => (event: TargetedEvent<HTMLInputElement | HTMLSelectElement>) => setFilter({ ...filter, [name]: event.currentTarget.value });
  return (
    <section aria-label="Audit log">
      <div class="admin-head">
        <h2>Audit log</h2>
        <button type="button" class="button secondary" data-testid="audit-newer" disabled={busy} onClick={() => void read((one) => one.readNewest())}>
          Look for new entries
        </button>
      </div>
      <div class="audit-filters" role="group" aria-label="Show">
        <label>
          Event
          <select data-testid="audit-event" value={filter.event} onChange={set("event")}>
            <option value="">Every event</option>
            {[...EVENTS].map(([event, label]) => (
              <option key={event} value={event}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Who or what
          <input type="search" data-testid="audit-who" value={filter.who} autocomplete="off" placeholder="Name or id" onInput={set("who")} />
        </label>
        <label>
          Time
          <select data-testid="audit-period" value={String(days)} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {PERIODS.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      <p class="admin-row-more" role="status" data-testid="audit-count">
        {busy && log.entries.length === 0 ? "Loading…" : `${shown.length} shown, of ${log.entries.length} loaded and ${log.total} in all.`}
      </p>
      {error && (
        <p class="form-error" role="alert" data-testid="list-error">
          {error}
        </p>
      )}
      <ul class="admin-list" aria-label="Entries, the newest first" data-testid="audit-list">
        {shown.map((entry) => (
          <AuditRow key={entry.id} entry={entry} />
        ))}
      </ul>
      {log.hasEarlier && (
        <button type="button" class="button quiet" data-testid="audit-earlier" disabled={busy} onClick={() => void read((one) => one.readEarlier())}>
          Show earlier entries
        </button>
      )}
    </section>
  );
}
