// A button that shows an icon alone: its words are its name and its tooltip.
import type { ComponentChildren, Ref, VNode } from "preact";

interface Props {
  label: string;
  /** What the tooltip adds to the name, such as a key. */
  hint?: string;
  testid: string;
  class?: string;
  /** Of a button that shows and hides something. */
  expanded?: boolean;
  buttonRef?: Ref<HTMLButtonElement>;
  onPress: () => void;
  children: ComponentChildren;
}

export function IconButton({ label, hint, testid, class: extra = "", expanded, buttonRef, onPress, children }: Props): VNode {
  return (
    <button
      type="button"
      class={`icon-button ${extra}`.trim()}
      ref={buttonRef ?? null}
      data-testid={testid}
      aria-label={label}
      title={hint ? `${label} (${hint})` : label}
      aria-expanded={expanded}
      onClick={onPress}
    >
      {children}
    </button>
  );
}
