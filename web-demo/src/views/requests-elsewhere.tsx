// Says a new request of another conversation to a screen reader; an urgent one interrupts.
import type { VNode } from "preact";
import type { Notifier } from "../client/notifier";
import { useStore } from "./hooks";

export function RequestsElsewhere({ notifier }: { notifier: Notifier }): VNode {
  const { said } = useStore(notifier);
  return (
    <div class="visually-hidden">
      <div aria-live="polite" data-testid="asked-elsewhere">
        {said?.urgent === false && said.text}
      </div>
      <div aria-live="assertive" data-testid="asked-urgently">
        {said?.urgent === true && said.text}
      </div>
    </div>
  );
}
