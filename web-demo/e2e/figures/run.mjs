// Measures the built page in Chromium and prints a table in Markdown, beside the figures of its first version.
// `node e2e/figures/run.mjs`; `make chat-figures` builds the page first. REPEAT: repetitions of each figure, of which the
// median counts. PAGE_DIR: the built page, if not `dist`.
import { cpus, loadavg, release, totalmem } from "node:os";
import { DIST } from "../mock-hub.mjs";
import { launch } from "../harness.mjs";
import { fillList, fillSession, hour, keysAndMessages, list, opening, start, tabStops } from "./measures.mjs";
import { withHub } from "./page.mjs";
import { goal, kb, mb, median, ms, number, quantile, table } from "./report.mjs";
import { sizesOf } from "./sizes.mjs";

const REPEAT = Number(process.env.REPEAT ?? 5);
const KEYS = 60;
const MESSAGES = 15;
const HOUR = 3_600;
const GOAL_KEY_MS = 16;
const GOAL_INITIAL_KB = 60;
const GOAL_ALL_KB = 200;

const browser = await launch();
// Frames as soon as they are ready: a key is to be measured, not the wait for the next refresh of a screen.
const unlimited = await launch(["--disable-frame-rate-limit", "--disable-gpu-vsync"]);
const load = loadavg()[0];
const rows = [];
const say = (text) => process.stderr.write(`${text}\n`);

/** The results of a measure, one after the other. */
async function repeat(what, measure) {
  const results = [];
  for (let i = 1; i <= REPEAT; i += 1) {
    say(`${what}, ${i} of ${REPEAT}`);
    results.push(await measure());
  }
  return (field) => median(results.map((one) => (typeof field === "function" ? field(one) : one[field])));
}

const sizes = sizesOf(process.env.PAGE_DIR ?? DIST);
const threeSizes = ({ raw, gzip, brotli }) => `${kb(raw)} · ${kb(gzip)} · ${kb(brotli)}`;
const together = sizes.script.all.brotli + sizes.style.all.brotli;
rows.push(
  ["scripts of the first view: raw · gzip · brotli", "83.3 KB · 27.9 KB · –", threeSizes(sizes.script.initial), goal(`${GOAL_INITIAL_KB} KB compressed`, sizes.script.initial.brotli <= GOAL_INITIAL_KB * 1_000)],
  ["styles of the first view", "17.4 KB · – · –", threeSizes(sizes.style.initial)],
  ["all scripts", "83.3 KB · 27.9 KB · –", threeSizes(sizes.script.all), goal(`${GOAL_ALL_KB} KB with styles`, together <= GOAL_ALL_KB * 1_000)],
  ["all styles", "17.4 KB · – · –", threeSizes(sizes.style.all)],
);

await withHub((hub) => fillList(hub, 50), async (_, base) => {
  const fast = await repeat("start", () => start(browser, base, false));
  rows.push(["first paint", "88–112 ms", ms(fast("paint"))], ["list usable", "224–239 ms", ms(fast("usable"))], ["requests until then", "8", number(fast("requests"))]);
  const slow = await repeat("start over slow 3G", () => start(browser, base, true));
  rows.push(["first paint, slow 3G, CPU ÷ 4", "3.0 s", ms(slow("paint"))], ["list usable, slow 3G, CPU ÷ 4", "4.4 s", ms(slow("usable"))]);
  const stops = await repeat("tab stops", () => tabStops(browser, base, "s-1"));
  rows.push(["presses of Tab to the composer", "33", `${stops("all")}, by the skip link ${stops("skipping")}`]);
});

for (const [count, before] of [[10_000, ["518–595 ms", "200", "4.5 MB"]], [100_000, ["–", "–", "–"]]]) {
  await withHub((hub) => fillSession(hub, "long", count), async (_, base) => {
    const of = await repeat(`open ${number(count)}`, () => opening(browser, base, "long"));
    rows.push([`open ${number(count)} messages: time · rows on the page · heap`, before.join(" · "), `${ms(of("time"))} · ${number(of("rows"))} · ${mb(of("heap"))}`]);
  });
}

await withHub((hub) => fillSession(hub, "long", 10_000), async (hub, base) => {
  const of = await repeat("10,000 read through", () => keysAndMessages(unlimited, hub, base, "long", KEYS, MESSAGES));
  const key = of(({ delays }) => median(delays));
  const worst = of(({ delays }) => quantile(delays, 0.95));
  rows.push(
    ["10,000 messages read through: heap · elements and texts", "83 MB · 140,501", `${mb(of("heap"))} · ${number(of("nodes"))}`],
    ["a key in the composer there, to the next paint: median · 95 %", "67 ms · –", `${ms(key)} · ${ms(worst)}`, goal(`under ${GOAL_KEY_MS} ms`, worst < GOAL_KEY_MS)],
    ["a live message there, sent to painted: median · 95 %", "2.2 s · –", `${ms(of(({ lives }) => median(lives)))} · ${ms(of(({ lives }) => quantile(lives, 0.95)))}`],
  );
});

for (const [count, asking, twice, before] of [[522, 120, 17, "347 ms · 2.3 s by ten presses · 70 · – · 18 MB"], [5_000, 120, 17, "–"]]) {
  const of = await repeat(`list of ${number(count)}`, () =>
    withHub((hub) => fillList(hub, count, asking, twice), (hub, base) => list(browser, hub, base, `s-${count}`)),
  );
  rows.push([
    `list of ${number(count)}: first rows · last row by a scroll · readings · rows on the page · heap`,
    before,
    `${ms(of("usable"))} · ${ms(of("toEnd"))} · ${number(of("reads"))} · ${number(of("rows"))} · ${mb(of("heap"))}`,
  ]);
}

let seconds = 0;
await withHub((hub) => fillSession(hub, "live", 200), async (hub, base) => {
  const of = await repeat("an hour of messages", () => hour(browser, hub, base, "live", HOUR, 20));
  seconds = of("seconds");
  rows.push([
    "an hour of a message a second: heap before · after, elements and texts, rows on the page",
    "–",
    `${mb(of(({ before }) => before.heap))} · ${mb(of(({ after }) => after.heap))}, ${number(of(({ after }) => after.nodes))}, ${number(of("rows"))}`,
  ]);
});

const version = browser.version();
await Promise.all([browser.close(), unlimited.close()]);
const [cpu] = cpus();
process.stdout.write(`${table(rows)}

Chromium ${version} headless, Node.js ${process.versions.node}, Linux ${release()}, ${cpus().length} × ${cpu?.model ?? "CPU"}, ${Math.round(totalmem() / 2 ** 30)} GB; load before the start ${load.toFixed(1)}. Median of ${REPEAT} runs, each in a new window with empty caches and a simulated hub behind a port of this machine. "Before" is the first version of the page, on a machine of the same kind.

- Slow 3G: 400 kbit/s, 400 ms, the processor slowed down four times (developer tools).
- Read through: from the end to the start and back; the page keeps at most 3,000 events of a conversation. ${KEYS} keys, one after the other, from the key to the frame that shows it, without the wait for a screen's refresh. ${MESSAGES} live messages.
- Lists: 120 conversations with 137 open requests at the top. Readings: \`GET /v1/human/feed\`, those for the open requests and at the start of the connection included.
- The hour is compressed in time: ${number(HOUR)} messages within ${number(seconds)} s. Heap after a forced collection.
`);
