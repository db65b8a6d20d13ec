// How long a press can be taken back: a setting of this browser.
const KEY = "hiloop.undo";
const USUAL_SECONDS = 3;
/** For the request itself. */
const MARGIN_MS = 2_000;

/** What can be chosen, in seconds; 0 sends at once. */
export const UNDO_SECONDS: readonly number[] = [0, USUAL_SECONDS, 5, 10];

export function undoSeconds(): number {
  const text = localStorage.getItem(KEY);
  if (text === "off") return 0;
  const seconds = Number(text);
  return text !== null && UNDO_SECONDS.includes(seconds) ? seconds : USUAL_SECONDS;
}

export function setUndo(seconds: number): void {
  if (seconds === USUAL_SECONDS) localStorage.removeItem(KEY);
  else localStorage.setItem(KEY, seconds === 0 ? "off" : String(seconds));
}

/** How long an answer is held; not at all where its deadline would pass meanwhile. */
export function holdMs(deadlineAt: string | null, now = Date.now()): number {
  const ms = undoSeconds() * 1_000;
  const isNear = deadlineAt !== null && Date.parse(deadlineAt) - now < ms + MARGIN_MS;
  return isNear ? 0 : ms;
}
