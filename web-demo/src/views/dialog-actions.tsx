// The end of a dialog: what went wrong, the way back, and the actions.
import type { ComponentChildren, VNode } from "preact";

interface Props {
  /** The words of the way back. */
  back: string;
  backTestId?: string;
  isBackOff?: boolean;
  onBack: () => void;
  /** Absent where nothing can go wrong. */
  error?: string | null;
  errorTestId?: string;
  children?: ComponentChildren;
}

export function DialogActions({ back, backTestId, isBackOff = false, onBack, error, errorTestId, children }: Props): VNode {
  return (
    <>
      {error !== undefined && (
        <p class="form-error" role="alert" data-testid={errorTestId}>
          {error}
        </p>
      )}
      <div class="dialog-actions">
        <button type="button" class="button quiet" data-testid={backTestId} disabled={isBackOff} onClick={onBack}>
          {back}
        </button>
        {children}
      </div>
    </>
  );
}
