// Waiting for a state of the hub, and never for a time.

type Probed<T> = T | null | undefined | false;

/** Waits until `probe` gives something. */
export async function until<T>(what: string, probe: () => Promise<Probed<T>> | Probed<T>, timeoutMs = 90_000): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (Date.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
