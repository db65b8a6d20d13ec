// Small hooks that bind the framework-free stores to the views.
import { useEffect, useLayoutEffect, useReducer, useState } from "preact/hooks";
import type { Emitter } from "@hiloop/sdk/chat";

/** Draws again when the store changes. */
export function useStore<T extends Emitter>(store: T): T {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const drawn = store.version;
  useEffect(() => {
    const stop = store.listen(() => redraw(undefined));
    // Whatever changed between the drawing and this effect.
    if (store.version !== drawn) redraw(undefined);
    return stop;
  }, [store]);
  return store;
}

/** The time, again every `everyMs` while `active`. */
export function useNow(everyMs: number, active = true): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!active) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, active]);
  return now;
}

/** What the address names beside the list: a conversation (`#/s/ID`), or a view of the administration (`#/admin/VIEW`). */
export type Route = { kind: "list" } | { kind: "session" | "admin"; name: string };

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  // In the task of the drawing: a row can be pressed before the effects that wait for a frame have run.
  useLayoutEffect(() => {
    let before = readRoute();
    const follow = (): void => {
      const now = readRoute();
      // Kept with the entry of the history, so that it survives a reload.
      if (before.kind === "list" && now.kind !== "list") history.replaceState({ fromList: true }, "");
      before = now;
      setRoute(now);
    };
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return route;
}

function readRoute(): Route {
  const [, kind, name] = /^#\/(s|admin)(?:\/([\w-]+))?$/.exec(location.hash) ?? [];
  if (kind === "admin") return { kind: "admin", name: name ?? "people" };
  return kind === "s" && name !== undefined ? { kind: "session", name } : { kind: "list" };
}

/** From what is open to the list: the step back where the list came before, so that the browser's Back leads out. */
export function goBack(): void {
  if ((history.state as { fromList?: boolean } | null)?.fromList) return history.back();
  history.replaceState(null, "", "#/");
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function goTo(sessionId: string | null): void {
  location.hash = sessionId === null ? "#/" : `#/s/${sessionId}`;
}
