// Who is typing now.
import type { VNode } from "preact";
import { joinNames, type LiveSession } from "@hiloop/sdk/chat";

export function TypingLine({ live }: { live: LiveSession }): VNode {
  const names = live.typing.actors().map((actor) => actor.name ?? "Someone");
  return (
    <div class="typing-line" aria-live="polite">
      {names.length > 0 && (
        <span data-testid="typing">
          <span class="typing-dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {joinNames(names)} {names.length > 1 ? "are" : "is"} typing…
        </span>
      )}
    </div>
  );
}
