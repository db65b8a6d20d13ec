// Mutual exclusion across the tabs of a browser.

export type WithLock = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

interface LockManagerLike {
  request<T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** A number by name, of which every tab reads the last value that any tab wrote. */
export interface Turns {
  read(name: string): Promise<number>;
  write(name: string, turn: number): Promise<void>;
}

/**
 * The browser's own locks where it has them (secure pages), else a lease in the shared storage. Where there are
 * `turns`, the work also finds in `storage` all that the holder before it wrote there.
 */
export function tabLocks(manager: LockManagerLike | undefined, storage: KeyValue, turns?: Turns): WithLock {
  if (!manager) return (name, work) => underLease(storage, name, work);
  if (!turns) return (name, work) => manager.request(name, work);
  return (name, work) => manager.request(name, () => inTurn(storage, turns, name, work));
}

/** How long a value that another tab has stored may take to become visible here. Usually milliseconds. */
const CATCH_UP_MS = 3_000;

/**
 * A value that another tab has stored becomes visible with a delay, possibly after this tab has the lock. So each holder
 * leaves the number of its turn behind: in `storage`, which shows the writes of one tab in their order, and in
 * `turns`, which is current at once. It waits for values that lag behind.
 */
async function inTurn<T>(storage: KeyValue, turns: Turns, name: string, work: () => Promise<T>): Promise<T> {
  const key = `hiloop.turn.${name}`;
  const seen = (): number => Number(storage.getItem(key)) || 0;
  // Without a database (some private windows) there is the lock alone.
  const last = await turns.read(name).catch(() => 0);
  for (const until = Date.now() + CATCH_UP_MS; seen() < last && Date.now() < until; ) await pause(5);
  try {
    return await work();
  } finally {
    const turn = Math.max(last, seen()) + 1;
    storage.setItem(key, String(turn));
    await turns.write(name, turn).catch(() => undefined);
  }
}

/** Turns in a database of the browser, whose transactions are in one order for all tabs. */
export function databaseTurns(factory: IDBFactory | undefined): Turns | undefined {
  if (!factory) return undefined;
  const within = async <T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const opening = factory.open("hiloop.turns", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("turns");
    const database = await settled(opening);
    try {
      const transaction = database.transaction("turns", mode);
      const done = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onabort = () => reject(transaction.error ?? new Error("aborted"));
      });
      const [result] = await Promise.all([settled(act(transaction.objectStore("turns"))), done]);
      return result;
    } finally {
      database.close();
    }
  };
  return {
    read: async (name) => Number(await within("readonly", (store) => store.get(name))) || 0,
    write: async (name, turn) => void (await within("readwrite", (store) => store.put(turn, name))),
  };
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("refused"));
  });
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
