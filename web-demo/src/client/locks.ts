// One holder at a time for a piece of work, across the tabs of a browser.

export type WithLock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

interface LockManagerLike {
  request<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** The browser's own locks where it has them (secure pages), else a lease in the shared storage. */
export function tabLocks(manager: LockManagerLike | undefined, storage: KeyValue): WithLock {
  if (manager) return (name, work) => manager.request(name, work);
  return (name, work) => underLease(storage, name, work);
}

const LEASE_MS = 15_000;

async function underLease<T>(storage: KeyValue, name: string, work: () => Promise<T>): Promise<T> {
  const key = `hiloop.lease.${name}`;
  const mine = Math.random().toString(36).slice(2);
  const holder = (): { id: string; until: number } | null => {
    const [id, until] = (storage.getItem(key) ?? "").split("|");
    return id && Number(until) > Date.now() ? { id, until: Number(until) } : null;
  };
  for (;;) {
    if (!holder()) {
      storage.setItem(key, `${mine}|${Date.now() + LEASE_MS}`);
      // Two tabs may write at once: the one whose name is still there after a moment has it.
      await pause(30);
      if (holder()?.id === mine) break;
    }
    await pause(20 + Math.random() * 60);
  }
  try {
    return await work();
  } finally {
    if (holder()?.id === mine) storage.removeItem(key);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
