// Build: one page and its assets, served by the hub at `/` under a strict content security policy.
import { defaultClientConditions, defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { release } from "./build/release.ts";

// The SDK's sources instead of its build, so that neither the page nor its tests need one.
const source = "@hiloop/source";

const hub = process.env.HILOOP_DEV_HUB ?? "http://127.0.0.1:8080";

interface Graph {
  getModuleInfo(id: string): { isEntry: boolean; importers: readonly string[] } | null;
}

const isInitial = new Map<string, boolean>();

/** The name of the chunk of a module that the entry imports, directly or not; null for one that is loaded later. */
function initialChunk(id: string, graph: Graph): string | null {
  const reaches = (one: string): boolean => {
    const known = isInitial.get(one);
    if (known !== undefined) return known;
    // A circle leads nowhere new.
    isInitial.set(one, false);
    const info = graph.getModuleInfo(one);
    const found = info !== null && ((info.isEntry && !one.includes("/src/worker/")) || info.importers.some(reaches));
    isInitial.set(one, found);
    return found;
  };
  return reaches(id) ? "page" : null;
}

export default defineConfig({
  plugins: [release],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // One script for all that the first view needs: on its own, each small one compresses badly.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: initialChunk, debugName: "page" }] } } },
  },
  // The packages of the SDK's sources are this folder's own.
  resolve: { dedupe: ["@hpke/core", "@hpke/dhkem-x25519", "@noble/curves", "@noble/hashes"], conditions: [source, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [source, ...defaultServerConditions] } },
  server: {
    fs: { allow: [".", "../sdk/typescript"] },
    proxy: { "/v1": { target: hub, ws: true, changeOrigin: true, rewriteWsOrigin: true } },
  },
  test: { include: ["test/**/*.test.ts", "test/**/*.test.tsx"], environment: "node", pool: "threads", maxWorkers: 1, testTimeout: 30_000, hookTimeout: 30_000 },
});
