// Which keys were made with a key, directly or through others.
import type { ApiKey } from "@hiloop/sdk/manage";

export function madeWith(keyId: string, keys: readonly ApiKey[]): ApiKey[] {
  const found = new Set<ApiKey>();
  const ids = [keyId];
  for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
    for (const key of keys) {
      if (key.createdBy?.keyId !== id || found.has(key) || key.id === keyId) continue;
      found.add(key);
      ids.push(key.id);
    }
  }
  return [...found];
}
