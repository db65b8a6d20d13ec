// A list of the hub, page by page, in the order in which the hub has it.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Page } from "@hiloop/sdk/chat";
import { useAdmin } from "./context";

export interface List<T> {
  /** Null until the first page is here. */
  rows: readonly T[] | null;
  total: number;
  busy: boolean;
  error: string | null;
  hasMore: boolean;
  more: () => void;
  reload: () => void;
  /** What is known before the hub is asked again. */
  set: (change: (rows: readonly T[]) => readonly T[]) => void;
}

export function useList<T extends { id: string }>(read: (page: number) => Promise<Page<T>>): List<T> {
  const admin = useAdmin();
  const [rows, setRows] = useState<readonly T[] | null>(null);
  const [total, setTotal] = useState(0);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const pages = useRef(0);
  /** Counts the readings: what a later one has overtaken is left out. */
  const turn = useRef(0);

  const readPage = async (page: number): Promise<void> => {
    const mine = (turn.current += 1);
    setBusy(true);
    try {
      const reply = await read(page);
      if (mine !== turn.current) return;
      pages.current = page;
      setTotal(reply.total);
      setError(null);
      setRows((before) => {
        const kept = page === 1 ? [] : (before ?? []);
        const known = new Set(kept.map(({ id }) => id));
        return [...kept, ...reply.data.filter(({ id }) => !known.has(id))];
      });
    } catch (failure) {
      if (mine !== turn.current) return;
      setError(admin.refused(failure));
    }
    setBusy(false);
  };

  useEffect(() => {
    void readPage(1);
    return () => {
      turn.current += 1;
    };
  }, []);

  return {
    rows,
    total,
    busy,
    error,
    hasMore: rows !== null && rows.length < total && rows.length > 0,
    more: () => void readPage(pages.current + 1),
    reload: () => void readPage(1),
    set: (change) => setRows((before) => change(before ?? [])),
  };
}
