// Copies a text, and says whether that worked.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

const SHOWN_MS = 2_000;

export function CopyButton({ text }: { text: string }): VNode | null {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => setSaid(""), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  // Browsers offer it on secure pages only.
  if (!navigator.clipboard) return null;
  const copy = (): void => {
    navigator.clipboard.writeText(text).then(
      () => setSaid("Copied"),
      () => setSaid("Not copied"),
    );
  };
  return (
    <button type="button" class="copy" data-testid="copy" onClick={copy}>
      <span aria-live="polite">{said || "Copy"}</span>
    </button>
  );
}
