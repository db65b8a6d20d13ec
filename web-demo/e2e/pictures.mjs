// The pictures of the documents: a person and agents of the TypeScript SDK (its build) with a real hub, end-to-end encrypted.
// `HUB_BIN=PATH node e2e/pictures.mjs FOLDER` writes them there as WebP; `make pictures` calls it.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { HiloopClient, MemoryKeyStore } from "@hiloop/sdk";
import { WebSocket } from "ws";
import { launch, until } from "./harness.mjs";
import { Hub } from "./hub.mjs";

const FOLDER = process.argv[2];
if (!FOLDER) throw new Error("The folder for the pictures is missing: node e2e/pictures.mjs FOLDER");

const DESK = { viewport: { width: 1180, height: 800 }, deviceScaleFactor: 1.5 };
const PHONE = { viewport: { width: 390, height: 780 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const DIFF = `--- a/deploy/production.toml
+++ b/deploy/production.toml
@@ -8,4 +8,5 @@ region = "eu-north"
 [rollout]
-image = "search:4.1.7"
+image = "search:4.2.0"
+steps = [10, 50, 100]
 pause = "10m"
`;

const RELEASE = [
  { type: "diff", data: { path: "deploy/production.toml", content: DIFF } },
  { type: "execution", data: { command: "make test", output: "412 passed, 0 failed", status: "succeeded", exitCode: 0, durationMs: 64_200 } },
  { type: "approval", data: { title: "Deploy 4.2.0 to production?", description: "Traffic moves over in three steps of ten minutes.", approveLabel: "Deploy", rejectLabel: "Hold back" } },
];

const REFUND = {
  type: "form",
  data: {
    submitLabel: "Pay out",
    fields: [
      { name: "amount", label: "Amount in €", type: "number", required: true, min: 1, max: 500 },
      { name: "method", label: "Pay out to", type: "select", required: true, options: [{ value: "card", label: "The card that paid" }, { value: "credit", label: "Store credit" }] },
      { name: "checks", label: "Checked", type: "multiselect", options: [{ value: "order", label: "Order 48 210" }, { value: "return", label: "Return has arrived" }, { value: "history", label: "No earlier refunds" }] },
    ],
  },
};

let hub;
let space;
let browser;

async function agent(name) {
  const apiKey = await space.agentKey(name);
  const keyStore = new MemoryKeyStore();
  return new HiloopClient({ apiKey, baseUrl: hub.base, WebSocket, keyStore: () => keyStore, logger: { warn: () => undefined } });
}

async function openPage(options) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  await page.goto(hub.base);
  await page.getByTestId("email").waitFor();
  return page;
}

async function signIn(page, person) {
  await page.getByTestId("email").fill(person.email);
  await page.getByTestId("password").fill(person.password);
  await page.getByTestId("sign-in").click();
}

/** Signs in for the first time, which makes the person's keys; gives the recovery code. */
async function firstSignIn(page, person) {
  await signIn(page, person);
  const shown = page.getByTestId("recovery-code");
  await until("a recovery code", async () => /^(\w{4}-){6}\w{4}$/.test(await shown.innerText()), 60_000);
  const code = await shown.innerText();
  await page.getByTestId("code-noted").click();
  await shown.waitFor({ state: "detached" });
  return code;
}

/** In another browser, with the recovery code. */
async function signInAgain(page, person, code) {
  await signIn(page, person);
  await page.getByTestId("recovery-input").fill(code);
  await page.getByTestId("restore-keys").click();
  await page.getByTestId("restore").waitFor({ state: "detached" });
  await page.getByTestId("restored-seen").click();
}

async function openRequest(page, title) {
  await page.getByTestId("feed-item").filter({ hasText: title }).first().click();
  await page.locator("[data-testid=message][data-status=Pending][data-state=verified]").last().waitFor();
}

/** A screenshot, encoded as WebP by the browser. */
async function picture(page, name) {
  await page.evaluate(() => document.fonts.ready);
  const png = (await page.screenshot({ animations: "disabled", caret: "hide" })).toString("base64");
  const blank = await page.context().newPage();
  const webp = await blank.evaluate(async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    canvas.getContext("2d").drawImage(image, 0, 0);
    return canvas.toDataURL("image/webp", 0.82).split(",")[1];
  }, png);
  await blank.close();
  const bytes = Buffer.from(webp, "base64");
  await writeFile(join(FOLDER, `${name}.webp`), bytes);
  if (process.env.PNG) await writeFile(join(FOLDER, `${name}.png`), Buffer.from(png, "base64"));
  console.log(`${name}.webp ${(bytes.length / 1000).toFixed(0)} KB`);
}

/** What agents and people have said before the pictures are taken. The questions stay open. */
async function conversations(mira, alex) {
  const [deploy, ledger, support, research] = await Promise.all(["deploy-bot", "ledger", "support-triage", "research"].map(agent));
  const to = [mira.email, alex.email];
  const release = await deploy.createSession({ title: "Release 4.2 to production", participants: to.map((email) => ({ type: "Human", email })) });
  await deploy.send(release.id, "Build **4.2.0** is ready. Since `4.1.7`:\n\n- search answers in 40 ms instead of 210\n- a new export, see [the notes](https://example.org/notes)");
  await deploy.send(release.id, {
    components: { type: "metric_grid", data: { metrics: [{ label: "Tests", value: "412 passed" }, { label: "p99", value: "40 ms", change: "-81 %" }, { label: "Image", value: "84 MB", change: "+1 MB" }] } },
  });
  const asked = [
    deploy.ask("Deploy 4.2.0 to production?", { session: release.id, components: { type: "group", data: {}, children: RELEASE }, priority: "Urgent", deadline: "25m" }),
    support.ask("Refund order 48 210?", { to: [mira.email], text: "The customer sent the headphones back; the return has arrived.", components: REFUND, priority: "High" }),
    ledger.ask("Book the March invoice again?", { to, choices: ["Book again", "Leave it", "Ask Noor"] }),
  ];
  const notes = await research.createSession({ title: "Reading list for the storage review", participants: [{ type: "Human", email: mira.email }] });
  await research.send(notes.id, "Eleven papers found, three of them measure fsync on consumer disks.");
  // They end with the hub.
  for (const one of asked) one.catch(() => undefined);
}

async function main() {
  await mkdir(FOLDER, { recursive: true });
  hub = await Hub.start();
  space = await hub.space();
  browser = await launch();
  const mira = await space.human("Mira Okafor");
  const alex = await space.human("Alex Lindqvist");
  await firstSignIn(await openPage(DESK), alex);
  const desk = await openPage({ ...DESK, colorScheme: "light" });
  const code = await firstSignIn(desk, mira);
  await conversations(mira, alex);

  await openRequest(desk, "Deploy 4.2.0");
  await desk.locator("[data-action=approve]").waitFor();
  await picture(desk, "chat");

  const dark = await openPage({ ...DESK, colorScheme: "dark" });
  await signInAgain(dark, mira, code);
  await openRequest(dark, "Refund order");
  await dark.getByLabel("Amount in €").fill("180");
  await dark.getByLabel("Pay out to").selectOption("card");
  await dark.getByRole("checkbox", { name: "Order 48 210" }).check();
  await dark.getByRole("checkbox", { name: "Return has arrived" }).check();
  await dark.locator("[data-testid=message]").last().evaluate((message) => message.scrollIntoView({ block: "start" }));
  await picture(dark, "form-dark");

  const phone = await openPage({ ...PHONE, colorScheme: "light" });
  await signInAgain(phone, mira, code);
  await until("three requests", async () => (await phone.locator("[data-testid=feed-item]:not([data-pending='0'])").count()) === 3, 60_000);
  await phone.getByTestId("feed-request").filter({ hasText: "Deploy 4.2.0" }).waitFor();
  await picture(phone, "phone-list");

  const night = await openPage({ ...PHONE, colorScheme: "dark" });
  await signInAgain(night, mira, code);
  await openRequest(night, "Deploy 4.2.0");
  await picture(night, "phone-dark");
}

let failed = false;
try {
  await main();
} catch (error) {
  failed = true;
  console.error(error);
} finally {
  await Promise.allSettled([browser?.close(), hub?.stop()]);
}
process.exit(failed ? 1 : 0);
