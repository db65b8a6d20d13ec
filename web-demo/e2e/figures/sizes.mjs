// The sizes of the built scripts and styles: those that the first view needs, and all of them.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";

/** `{ initial, all }` by kind: bytes raw, gzip and brotli. A file without a compressed one beside it is served as it is. */
export function sizesOf(dist) {
  const page = readFileSync(join(dist, "index.html"), "utf8");
  const assets = readdirSync(join(dist, "assets")).map((name) => join(dist, "assets", name));
  const files = (end) => [...assets, join(dist, "sw.js")].filter((file) => file.endsWith(end));
  const named = [...page.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, name]) => join(dist, name));
  const initial = withImports(named);
  return {
    script: { initial: sum(initial.filter((file) => file.endsWith(".js"))), all: sum(files(".js")) },
    style: { initial: sum(initial.filter((file) => file.endsWith(".css"))), all: sum(files(".css")) },
  };
}

/** What these scripts import at once, and so on. */
function withImports(files) {
  const found = new Set(files);
  for (const file of found) {
    if (!file.endsWith(".js")) continue;
    for (const [, name] of readFileSync(file, "utf8").matchAll(/(?:^|[;}\n])import(?:[^"'();]*from)?"\.\/([^"]+\.js)"/g)) found.add(join(file, "..", basename(name)));
  }
  return [...found];
}

function sum(files) {
  const total = (suffix) => files.reduce((bytes, file) => bytes + sizeOf(file, suffix), 0);
  return { raw: total(""), gzip: total(".gz"), brotli: total(".br") };
}

function sizeOf(file, suffix) {
  return (statSync(file + suffix, { throwIfNoEntry: false }) ?? statSync(file)).size;
}
