// Build: one page and its assets, served by the hub at `/` under a strict content security policy.
import { defineConfig } from "vitest/config";

const hub = process.env.HILOOP_DEV_HUB ?? "http://127.0.0.1:8080";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { proxy: { "/v1": { target: hub, ws: true, changeOrigin: true, rewriteWsOrigin: true } } },
  test: { include: ["test/**/*.test.ts", "test/**/*.test.tsx"], environment: "node", pool: "threads", maxWorkers: 1 },
});
