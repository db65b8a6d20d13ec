// What the stories with a real hub share: the hub, the browser, a space and people for each story, and what they do at pages.
import { AsyncLocalStorage } from "node:async_hooks";
import { extname, join } from "node:path";
import { inTurn, launch, plain, story, watchErrors, within, withoutWorkers } from "./harness.mjs";
import { call, Hub } from "./hub.mjs";

let theHub;
let browser;

/** The running story: its space, the people of it, and the browsers that it has opened. */
const running = new AsyncLocalStorage();

/** The hub, its space for the running story, and the people of that. */
export const hub = () => theHub;
export const space = () => running.getStore().space;
export const people = () => running.getStore().people;

export async function setup() {
  theHub = await Hub.start();
  browser = await launch();
}

export async function teardown() {
  await Promise.all([browser?.close(), theHub?.stop()]);
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

/** Shows a page that was built after the hub was, under the headers that the hub gives its own. */
async function showPageOf(context, dir) {
  await context.route(({ pathname }) => pathname === "/" || pathname.startsWith("/assets/"), async (route) => {
    const { pathname } = new URL(route.request().url());
    const { headers } = await fetch(theHub.base);
    const file = pathname === "/" ? "index.html" : pathname.slice(1);
    const policy = Object.fromEntries(["content-security-policy", "x-content-type-options", "referrer-policy"].map((name) => [name, headers.get(name) ?? ""]));
    await route.fulfill({ path: join(dir, file), headers: { ...policy, "content-type": TYPES[extname(file)] } });
  });
}

/**
 * `keys`: the page asks for them, as it does at the first sign-in; the other stories have put that off. `undo`: a press
 * can be taken back for three seconds; the others send it at once.
 */
export async function openPage(path = "/", { keys = false, undo = false, ...options } = {}) {
  const context = await inTurn(() => browser.newContext({ viewport: { width: 1180, height: 800 }, serviceWorkers: withoutWorkers, ...options }));
  // The empty page before the first one has no storage in Firefox.
  if (!keys) await context.addInitScript(() => self.origin !== "null" && sessionStorage.setItem("hiloop.keys.later", "1"));
  if (!undo) await context.addInitScript(() => self.origin !== "null" && localStorage.setItem("hiloop.undo", "off"));
  running.getStore().contexts.push(context);
  context.setDefaultTimeout(30_000);
  if (process.env.PAGE_DIR) await showPageOf(context, process.env.PAGE_DIR);
  const page = await inTurn(() => context.newPage());
  const errors = watchErrors(page);
  const sent = [];
  page.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(JSON.parse(String(payload)))));
  await page.goto(theHub.base + path);
  return { page, context, errors, sent };
}

export async function signInByForm(person, path = "/", options = {}) {
  const view = await openPage(path, options);
  const { page } = view;
  await page.getByTestId("email").fill(person.email);
  await page.getByTestId("password").fill(person.password);
  await page.getByTestId("sign-in").click();
  await state(page, "online");
  return view;
}

/** A page of a person who has signed in before. */
export async function signIn(person, options = {}) {
  const tokens = await logIn(person);
  const view = await openPage("/", { ...options, storageState: { cookies: [], origins: [{ origin: theHub.base, localStorage: [{ name: "hiloop.tokens", value: tokens }] }] } });
  await state(view.page, "online");
  return view;
}

async function logIn({ email, password }) {
  const { accessToken, refreshToken, expiresAt } = await call(theHub.base, "POST", "/auth/login", { email, password });
  const end = Date.parse(expiresAt);
  return JSON.stringify({ accessToken, refreshToken, expiresAt: end, lifetimeMs: end - Date.now() });
}

export const state = (page, name) => page.locator(`[data-testid=connection][data-state=${name}]`).waitFor({ state: "attached" });
export const row = (page, session) => page.locator(`[data-testid=feed-item][data-session-id="${session.id}"]`);
export const bubble = (page, text) => page.getByTestId("message").filter({ hasText: text });
export const byId = (page, message) => page.locator(`[data-testid=message][data-message-id="${message.id}"]`);
export const press = (locator) => locator.evaluate((button) => button.click());

export const openPeople = (page) => page.getByTestId("show-participants").click();
export const person = (page, name, online) => page.locator(`[data-testid=participant][data-online=${online}]`).filter({ hasText: name });
export const unread = (page, session, count) => row(page, session).and(page.locator(`[data-unread="${count}"]`)).waitFor();

export async function openSession(page, session) {
  await row(page, session).click();
  await page.locator(`[data-testid=session][data-session-id="${session.id}"][data-phase=ready]`).waitFor();
}

/**
 * A story in a space of its own, with two people, an agent and a session: what others do changes nothing in it. Its
 * browsers are closed afterwards.
 */
export function scene(name, run, options) {
  story(
    name,
    async (ms) => {
      const space = await within(ms, theHub.space());
      const [mira, alex] = await within(ms, Promise.all(["Mira", "Alex"].map((person) => space.human(person))));
      const agent = space.agent("deploy-bot");
      const contexts = [];
      try {
        const inSession = async () => run({ agent, mira, alex, session: await agent.session(name) });
        await within(ms, running.run({ contexts, space, people: { mira, alex } }, inSession));
      } catch (error) {
        await showPages(name, contexts);
        throw error;
      } finally {
        agent.close();
        await Promise.all(contexts.map((context) => inTurn(() => context.close())));
      }
    },
    options,
  );
}

export const shot = async (page, name) => {
  if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `e2e-${name}.png`) });
};

/** What the pages of a failed story show: their text in the output, and a picture where the run writes pictures. */
async function showPages(name, contexts) {
  const pages = contexts.flatMap((context) => context.pages());
  for (const [i, page] of pages.entries()) {
    const text = await within(5_000, page.evaluate(() => document.body.innerText)).catch(String);
    console.log(`Page ${i + 1} of ${pages.length} (${name}): ${new URL(page.url()).pathname}\n${text.replace(/^/gm, "  | ")}`);
    if (process.env.SHOTS) await page.screenshot({ path: join(process.env.SHOTS, `failed-${name.replace(/\W+/g, "-")}-${i}.png`) }).catch(() => undefined);
  }
}

export const approval = (title) => ({
  responseRequired: true,
  encryptedContent: plain({ text: `About: ${title}` }),
  encryptedComponents: plain({ type: "approval", data: { title } }),
});
