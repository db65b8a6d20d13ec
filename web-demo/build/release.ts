// Finishes a build: writes the version of the release into the page and into its service worker, which also gets the
// list of the files, and compresses them.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

const WORKER = "sw.js";
const PAGE = "index.html";

/** As the sources have them. */
const VERSION_IN_PAGE = '<meta name="release" content="dev"';
const RELEASE_IN_WORKER = "__RELEASE__";

/** Below this, in bytes, compression saves no packet. */
const WORTH_COMPRESSING = 1_024;

export const release: Plugin = {
  name: "release",
  apply: "build",
  buildStart() {
    this.emitFile({ type: "chunk", id: fileURLToPath(new URL("../src/worker/sw.ts", import.meta.url)), fileName: WORKER });
  },
  writeBundle({ dir = "dist" }) {
    stamp(dir);
    compress(dir);
  },
};

function stamp(dir: string): void {
  const names = filesOf(dir).filter((name) => name !== WORKER && name !== PAGE);
  const page = readFileSync(join(dir, PAGE), "utf8");
  const worker = readFileSync(join(dir, WORKER), "utf8");
  const version = createHash("sha256");
  for (const name of names) version.update(name).update(readFileSync(join(dir, name)));
  const id = version.update(page).update(worker).digest("hex").slice(0, 16);
  writeFileSync(join(dir, PAGE), replacedOnce(page, VERSION_IN_PAGE, VERSION_IN_PAGE.replace("dev", id)));
  // The system has loaded those icons when it installs the page.
  const used = names.filter((name) => !name.endsWith(".png"));
  const files = [...used, PAGE].map((name) => [name === PAGE ? "/" : `/${name}`, integrityOf(join(dir, name))]);
  // A classic script: browsers have no modules in service workers for as long as they have had workers.
  if (/^\s*(import|export)\b/m.test(worker)) throw new Error(`${WORKER} shares a module with the page`);
  writeFileSync(join(dir, WORKER), replacedOnce(worker, RELEASE_IN_WORKER, JSON.stringify({ version: id, files })));
}

/** Writes each text file beside itself as the hub serves it to a browser that takes `br` or `gzip`. */
function compress(dir: string): void {
  for (const name of filesOf(dir)) {
    if (!/\.(js|css|svg|html|webmanifest)$/.test(name)) continue;
    const file = join(dir, name);
    const content = readFileSync(file);
    if (content.length < WORTH_COMPRESSING) continue;
    writeFileSync(`${file}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: content.length } }));
    writeFileSync(`${file}.gz`, gzipSync(content, { level: 9 }));
  }
}

function filesOf(dir: string): string[] {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(join(dir, "/").length)).sort();
}

function integrityOf(file: string): string {
  return `sha256-${createHash("sha256").update(readFileSync(file)).digest("base64")}`;
}

function replacedOnce(text: string, what: string, by: string): string {
  const parts = text.split(what);
  if (parts.length !== 2) throw new Error(`${what} is there ${parts.length - 1} times, not once`);
  return parts.join(by);
}
