// Tests against a real hub, which each file starts for itself: HUB_BIN=PATH npm run e2e
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

export default defineConfig({
  ssr: { resolve: { conditions: ["@hiloop/source", ...defaultServerConditions] } },
  test: {
    include: ["e2e/**/*.test.ts"],
    environment: "node",
    pool: "threads",
    maxWorkers: 1,
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
