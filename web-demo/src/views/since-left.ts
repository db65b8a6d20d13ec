// Where the person stopped reading: before this conversation was opened, or before this tab was left.
import { useEffect, useState } from "preact/hooks";
import type { LiveSession } from "@hiloop/sdk/chat";

/** The last event that was read then; null where nothing of others has come since. */
export function useSinceLeft(live: LiveSession): number | null {
  const [left, setLeft] = useState<number | null>(null);
  const isKnown = live.phase === "ready" && live.leftAt !== null;

  useEffect(() => {
    if (isKnown && live.leftAt) setLeft(live.leftAt);
  }, [live, isKnown]);

  useEffect(() => {
    let hiddenAt: number | null = null;
    const follow = (): void => {
      if (document.visibilityState === "hidden") hiddenAt = live.timeline.last;
      else if (hiddenAt !== null && live.timeline.last > hiddenAt) setLeft(hiddenAt);
    };
    document.addEventListener("visibilitychange", follow);
    return () => document.removeEventListener("visibilitychange", follow);
  }, [live]);

  return left;
}
