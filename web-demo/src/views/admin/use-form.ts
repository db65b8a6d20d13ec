// Sending a form that makes something: once for one wish, with the hub's reason where it refuses.
import type { TargetedSubmitEvent } from "preact";
import { useRef, useState } from "preact/hooks";
import { NetworkError, newKey } from "@hiloop/sdk/chat";
import { useAdmin } from "./context";

export interface Sending {
  busy: boolean;
  error: string | null;
  onSubmit: (event: TargetedSubmitEvent<HTMLFormElement>) => void;
}

/** `make` gets the fields, trimmed, and the idempotency key: the same one for the same fields after a lost reply. */
export function useForm<T>(make: (fields: (name: string) => string, attempt: string) => Promise<T>, onMade: (made: T) => void): Sending {
  const admin = useAdmin();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const last = useRef<{ fields: string; attempt: string } | null>(null);
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const data = new FormData(form);
    const fields = JSON.stringify([...data]);
    if (last.current?.fields !== fields) last.current = { fields, attempt: newKey() };
    setBusy(true);
    setError(null);
    try {
      onMade(await make((name) => String(data.get(name) ?? "").trim(), last.current.attempt));
    } catch (failure) {
      // A refusal may be kept under its key.
      if (!(failure instanceof NetworkError)) last.current = null;
      setError(admin.failed(failure));
      setBusy(false);
    }
  };
  return {
    busy,
    error,
    onSubmit: (event) => {
      event.preventDefault();
      if (!busy) void submit(event.currentTarget);
    },
  };
}
