// Draws the PNG icons from their SVG sources in `public/icons`: `npm run icons`. The results are committed.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch } from "../e2e/harness.mjs";

const FOLDER = fileURLToPath(new URL("../public/icons/", import.meta.url));

/** iOS rounds the corners of `apple-touch` itself, and fills transparent ones with black. */
const ICONS = [
  { source: "icon.svg", name: "icon-192.png", size: 192 },
  { source: "icon.svg", name: "icon-512.png", size: 512 },
  { source: "maskable.svg", name: "maskable-192.png", size: 192 },
  { source: "maskable.svg", name: "maskable-512.png", size: 512 },
  { source: "maskable.svg", name: "apple-touch-180.png", size: 180 },
];

const browser = await launch();
for (const { source, name, size } of ICONS) {
  const page = await browser.newPage({ viewport: { width: size, height: size } });
  const svg = (await readFile(FOLDER + source, "utf8")).replace("<svg ", `<svg width="${size}" height="${size}" style="display: block" `);
  await page.setContent(`<body style="margin: 0">${svg}</body>`);
  await writeFile(FOLDER + name, await page.screenshot({ omitBackground: true }));
  await page.close();
}
await browser.close();
