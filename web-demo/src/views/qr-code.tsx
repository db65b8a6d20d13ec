// A text as a QR code; the script that draws it loads with the first one.
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";

export function QrCode({ text, label }: { text: string; label: string }): VNode | null {
  const [cells, setCells] = useState<boolean[][] | null>(null);
  useEffect(() => {
    let current = true;
    import("uqr").then(
      ({ encode }) => current && setCells(encode(text, { border: 2 }).data),
      () => undefined,
    );
    return () => {
      current = false;
    };
  }, [text]);
  if (!cells) return null;
  const path = cells.flatMap((row, y) => row.flatMap((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : []))).join("");
  return (
    <svg class="qr" viewBox={`0 0 ${cells.length} ${cells.length}`} role="img" aria-label={label} data-testid="qr">
      <rect width={cells.length} height={cells.length} fill="#fff" />
      <path d={path} fill="#000" shape-rendering="crispEdges" />
    </svg>
  );
}
