// A button that copies words to the clipboard, and says whether it did.
import type { VNode } from "preact";
import { useState } from "preact/hooks";

export function CopyText({ text }: { text: string }): VNode {
  const [done, setDone] = useState<"no" | "yes" | "failed">("no");
  const copy = (): void => {
    const copying = navigator.clipboard ? navigator.clipboard.writeText(text) : Promise.reject(new Error("no clipboard"));
    copying.then(
      () => setDone("yes"),
      () => setDone("failed"),
    );
  };
  return (
    <>
      <button type="button" class="link" data-testid="copy-text" onClick={copy}>
        Copy
      </button>
      <span role="status">{done === "yes" ? "Copied." : done === "failed" ? "Please select the words and copy them." : ""}</span>
    </>
  );
}
