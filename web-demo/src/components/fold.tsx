// A long list shows its beginning, and the rest on request.
import type { VNode } from "preact";
import { useUnfold } from "../code/use-unfold";

interface Fold {
  /** How many to show. */
  shown: number;
  /** The button that shows all; null where nothing is hidden. */
  more: VNode | null;
}

export function useFold(total: number, limit: number, unit: string): Fold {
  const [whole, unfold] = useUnfold({ limit });
  if (whole || total <= limit) return { shown: total, more: null };
  const more = (
    <button type="button" class="unfold" data-testid="unfold" onClick={unfold}>
      Show all {total.toLocaleString()} {unit}
    </button>
  );
  return { shown: limit, more };
}
