// Which rows of the list have stood still for long enough to be pressed: the list sorts itself, and the button that has
// just moved under the pointer is not the one that was meant.
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

const STEADY_MS = 500;
/** Parts of pixels, of which there are several on some screens. */
const TOLERANCE_PX = 2;

const places = new WeakMap<Element, { top: number; since: number }>();

/** By how much lists were scrolled by the page itself, so that rows stay where they are. */
const shifts = new WeakMap<Element, number>();

export function noteShift(list: Element, distance: number): void {
  shifts.set(list, (shifts.get(list) ?? 0) + distance);
}

/** Notes where the rows with buttons are, whenever that may have changed. Scrolling is the person's own doing. */
export function useRowPlaces(list: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const box = list.current;
    if (!box) return;
    let frame: number | null = null;
    const measure = (): void => {
      frame = null;
      const now = performance.now();
      for (const one of box.querySelectorAll("[data-testid=row-answer]")) {
        const top = one.getBoundingClientRect().top + box.scrollTop - (shifts.get(box) ?? 0);
        if (!(Math.abs((places.get(one)?.top ?? NaN) - top) < TOLERANCE_PX)) places.set(one, { top, since: now });
      }
    };
    // In the frame after the change: in its own one the list is scrolled back to its place after this.
    const soon = (): void => void (frame ??= requestAnimationFrame(() => (frame = requestAnimationFrame(measure))));
    const changes = new MutationObserver(soon);
    changes.observe(box, { childList: true, subtree: true });
    // A notice above moves the whole list.
    const size = new ResizeObserver(soon);
    size.observe(box);
    return () => {
      changes.disconnect();
      size.disconnect();
      if (frame !== null) cancelAnimationFrame(frame);
    };
  }, []);
}

/** Whether a press of a pointer on something in a row was meant for that row. */
export function isSteady(element: Element): boolean {
  const place = places.get(element.closest("[data-testid=row-answer]") ?? element);
  return place !== undefined && performance.now() - place.since >= STEADY_MS;
}
