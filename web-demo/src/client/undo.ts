// How long a press can be taken back: a setting of this browser.
const KEY = "hiloop.undo";
const UNDO_MS = 3_000;
/** For the request itself. */
const MARGIN_MS = 2_000;

export function canUndo(): boolean {
  return localStorage.getItem(KEY) !== "off";
}

export function setUndo(on: boolean): void {
  if (on) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, "off");
}

/** How long an answer is held; not at all where its deadline would pass meanwhile. */
export function holdMs(deadlineAt: string | null, now = Date.now()): number {
  const isNear = deadlineAt !== null && Date.parse(deadlineAt) - now < UNDO_MS + MARGIN_MS;
  return canUndo() && !isNear ? UNDO_MS : 0;
}
