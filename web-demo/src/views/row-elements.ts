// The elements of the timeline's rows on the page, as entries.tsx draws them, in the box that scrolls.
import { firstIndex } from "@hiloop/sdk/chat";
import { isInSight } from "./jump";

export class RowElements {
  constructor(
    readonly box: HTMLElement,
    readonly inner: HTMLElement,
  ) {}

  drawn(): HTMLElement[] {
    return [...this.inner.querySelectorAll<HTMLElement>(":scope > [data-row]")];
  }

  row(key: string): HTMLElement | null {
    return this.inner.querySelector<HTMLElement>(`:scope > [data-row="${CSS.escape(key)}"]`);
  }

  article(messageId: string): HTMLElement | null {
    return this.inner.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(messageId)}"]`);
  }

  /** The space above the first row that is drawn. */
  startSpace(): HTMLElement | null {
    return this.inner.querySelector<HTMLElement>(":scope > [data-space]");
  }

  /** How far below the upper edge of the box the top of an element is. */
  topOf(element: Element): number {
    return element.getBoundingClientRect().top - this.box.getBoundingClientRect().top;
  }

  /** The row that the person reads: the one in sight with the focus, else the one at the upper edge. */
  read(): HTMLElement | undefined {
    const focused = document.activeElement?.closest<HTMLElement>(".timeline-inner > [data-row]") ?? null;
    if (focused && this.inner.contains(focused) && isInSight(focused, this.box)) return focused;
    return firstBelow(this.drawn(), this.box.getBoundingClientRect().top);
  }

  isSelecting(): boolean {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.inner.contains(selection.anchorNode));
  }
}

/** The key of the row that an element belongs to. */
export function rowKeyOf(target: EventTarget | null): string | undefined {
  return target instanceof Element ? target.closest<HTMLElement>("[data-row]")?.dataset.row : undefined;
}

/** The first row that reaches below the edge, and that does not come and go. Rows are in order. */
function firstBelow(rows: readonly HTMLElement[], edge: number): HTMLElement | undefined {
  let i = firstIndex(rows.length, (one) => (rows[one] as HTMLElement).getBoundingClientRect().bottom > edge);
  while (i < rows.length - 1 && !(rows[i] as HTMLElement).hasAttribute("data-seq")) i += 1;
  return rows[i];
}
