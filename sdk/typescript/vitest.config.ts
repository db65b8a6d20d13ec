// Unit tests: no hub, no network.
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The sources instead of a build.
  ssr: { resolve: { conditions: ["@hiloop/source", ...defaultServerConditions] } },
  // The derivation of keys takes seconds on a busy machine.
  test: { include: ["test/**/*.test.ts"], environment: "node", pool: "threads", maxWorkers: 1, testTimeout: 180_000, hookTimeout: 180_000 },
});
