// A modal dialog: the browser's own, which keeps the focus in and closes by Escape.
import type { ComponentChildren, VNode } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  onClose: () => void;
  /** Instead of closing by Escape or by a press beside it. */
  onEscape?: () => void;
  children: ComponentChildren;
}

/** What had the focus before the first of the dialogs that follow each other. */
let opener: HTMLElement | null = null;

/** A dialog that is taken away, for the next one or because its work is done, leaves the focus to nobody. */
function returnFocus(): void {
  if (document.activeElement !== document.body || document.querySelector("dialog[open]")) return;
  const target = opener?.isConnected ? opener : document.querySelector<HTMLElement>("main[tabindex]");
  target?.focus({ preventScroll: true });
}

export function Dialog({ title, onClose, onEscape, children }: Props): VNode {
  const ref = useRef<HTMLDialogElement>(null);
  // Before anything can be pressed in it, or beside it.
  useLayoutEffect(() => {
    const before = document.activeElement;
    if (before instanceof HTMLElement && before !== document.body && !before.closest("dialog")) opener = before;
    ref.current?.showModal();
    // After the page has drawn what comes next.
    return () => void setTimeout(returnFocus);
  }, []);
  return (
    <dialog
      ref={ref}
      aria-label={title}
      onClose={onClose}
      onCancel={(event) => {
        if (!onEscape) return;
        event.preventDefault();
        onEscape();
      }}
      onClick={(event) => {
        if (event.target !== ref.current) return;
        if (onEscape) onEscape();
        else ref.current?.close();
      }}
    >
      <div class="dialog-body">
        <h2>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
