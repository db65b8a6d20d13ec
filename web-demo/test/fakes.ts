// Stand-ins for the tests: a hub over fetch, and a storage.
import type { KeyValue } from "../src/client/locks";

export { type Call, fakeFetch } from "../../sdk/typescript/test/fake-fetch";

export class MemoryStorage implements KeyValue {
  private readonly values = new Map<string, string>();
  getItem(key: string): string | null {
    return this.values.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.values.set(key, value);
  }
  removeItem(key: string): void {
    this.values.delete(key);
  }
}
