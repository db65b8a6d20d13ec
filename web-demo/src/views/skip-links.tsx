// The first stops of the Tab key: past the list, to the conversation.
import type { VNode } from "preact";

export function SkipLinks({ isOpen }: { isOpen: boolean }): VNode {
  // Buttons, since a fragment in the address would be a route.
  const to = (testid: string, label: string): VNode => (
    <button type="button" class="skip-link" data-testid={`skip-${testid}`} onClick={() => document.querySelector<HTMLElement>(`[data-testid=${testid}]`)?.focus()}>
      {label}
    </button>
  );
  return (
    <nav class="skip-links" aria-label="Skip">
      {isOpen && to("timeline", "Skip to the messages")}
      {isOpen && to("composer", "Skip to writing")}
    </nav>
  );
}
