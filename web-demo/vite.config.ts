// Build: one page and its assets, served by the hub at `/` under a strict content security policy.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defaultClientConditions, defaultServerConditions, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

// The SDK's sources instead of its build, so that neither the page nor its tests need one.
const source = "@hiloop/source";

const hub = process.env.HILOOP_DEV_HUB ?? "http://127.0.0.1:8080";

/** Below this, in bytes, compression saves no packet. */
const WORTH_COMPRESSING = 1_024;

/** Writes each text file beside itself as the hub serves it to a browser that takes `br` or `gzip`. */
const compressed: Plugin = {
  name: "compressed",
  apply: "build",
  writeBundle({ dir = "dist" }) {
    for (const name of readdirSync(dir, { recursive: true, encoding: "utf8" })) {
      if (!/\.(js|css|svg|html|webmanifest)$/.test(name)) continue;
      const file = join(dir, name);
      const content = readFileSync(file);
      if (content.length < WORTH_COMPRESSING) continue;
      writeFileSync(`${file}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }));
      writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
    }
  },
};

export default defineConfig({
  plugins: [compressed],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  // The packages of the SDK's sources are this folder's own.
  resolve: { dedupe: ["@hpke/core", "@hpke/dhkem-x25519", "@noble/curves", "@noble/hashes"], conditions: [source, ...defaultClientConditions] },
  ssr: { resolve: { conditions: [source, ...defaultServerConditions] } },
  server: {
    fs: { allow: [".", "../sdk/typescript"] },
    proxy: { "/v1": { target: hub, ws: true, changeOrigin: true, rewriteWsOrigin: true } },
  },
  test: { include: ["test/**/*.test.ts", "test/**/*.test.tsx"], environment: "node", pool: "threads", maxWorkers: 1, testTimeout: 30_000 },
});
