// One's own setting: how long a press can be taken back.
import type { VNode } from "preact";
import { setUndo, UNDO_SECONDS, undoSeconds } from "../../client/undo";

export function Undo(): VNode {
  return (
    <section aria-label="Answers by a press">
      <h3>Answers by a press</h3>
      <label>
        How long I can take a press back
        <select data-testid="undo-setting" aria-describedby="undo-help" onChange={(event) => setUndo(Number(event.currentTarget.value))}>
          {UNDO_SECONDS.map((seconds) => (
            <option key={seconds} value={seconds} selected={seconds === undoSeconds()}>
              {seconds === 0 ? "Not at all: send at once" : `${seconds} seconds`}
            </option>
          ))}
        </select>
      </label>
      <p class="aside" id="undo-help">
        Goes for this browser. An answer that is due within that time is sent at once.
      </p>
    </section>
  );
}
