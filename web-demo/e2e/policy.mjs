// Stories of the content security policy with Trusted Types: the page needs no exception, and there is none for others.
import { equal, plain, story, until } from "./harness.mjs";
import { form, shown } from "./every-component.mjs";
import { MockHub } from "./mock-hub.mjs";
import { MockServer } from "./mock-server.mjs";

/** Counts what the browser refuses, in every document of the context. */
const countRefusals = (context) =>
  context.addInitScript(() => {
    window.refused = [];
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) => window.refused.push([violatedDirective, blockedURI, sample]));
  });

/** What a script that got into the page could try, by name: how each try ends. */
const attempts = (page) =>
  page.evaluate(async () => {
    const element = (name) => document.createElement(name);
    const tries = {
      html: () => (element("div").innerHTML = "<img src=x onerror=alert(1)>"),
      "text after an element": () => document.body.insertAdjacentHTML("beforeend", "<p>x</p>"),
      "a document": () => document.write("<p>x</p>"),
      "the document of a frame": () => (element("iframe").srcdoc = "<p>x</p>"),
      "a parsed document": () => new DOMParser().parseFromString("<p>x</p>", "text/html"),
      "the address of a script": () => (element("script").src = "/assets/x.js"),
      "the text of a script": () => (element("script").text = "alert(1)"),
      "a worker": () => new Worker("/sw.js"),
      "a service worker": () => navigator.serviceWorker.register("/other.js"),
      "a policy of its own": () => trustedTypes.createPolicy("mine", { createHTML: (text) => text }),
      "the default policy": () => trustedTypes.createPolicy("default", { createHTML: (text) => text }),
      "the page's policy again": () => trustedTypes.createPolicy("hiloop-worker", { createScriptURL: (url) => url }),
      "another host": () => fetch("https://elsewhere.example/"),
    };
    const ends = {};
    for (const [name, attempt] of Object.entries(tries)) {
      try {
        await attempt();
        ends[name] = "done";
      } catch (error) {
        ends[name] = error.name;
      }
    }
    return ends;
  });

/** `open` of the suite. */
export function policyStories({ open, connected }) {
  story("no part of the page is refused by its policy, and no other way in is open", async () => {
    const hub = new MockHub();
    hub.addSession("s-1", { title: "Every component" });
    const bot = { type: "Agent", id: "agent-1", name: "deploy-bot" };
    hub.message("s-1", bot, { encryptedContent: plain({ text: "**All** of `it`" }), encryptedComponents: plain(shown) });
    hub.message("s-1", bot, { responseRequired: true, encryptedComponents: plain(form) });
    const server = await MockServer.start(hub);
    const { page, context, errors } = await open(hub, { origin: server.base, serviceWorkers: "allow", signedIn: false, prepare: countRefusals });
    try {
      await page.getByTestId("email").fill("mira@example.org");
      await page.getByTestId("password").fill("right");
      await page.getByTestId("sign-in").click();
      await connected(page);
      await page.getByTestId("feed-item").click();
      await page.getByTestId("message").last().waitFor();
      await until("the late parts", async () => (await page.getByText("Loading…").count()) === 0);
      await page.getByTestId("just-message").click();
      await page.getByTestId("composer").fill("Fine");
      await page.keyboard.press("Enter");
      await page.getByTestId("message").filter({ hasText: "Fine" }).waitFor();
      await page.keyboard.press("Control+k");
      await page.getByTestId("search-input").waitFor();
      await page.keyboard.press("Escape");
      await page.getByTestId("account").click();
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
      equal(await page.evaluate(() => window.refused), [], "what the browser has refused");
      equal(errors, [], "errors of the page");
      // From here on it is refused on purpose.
      page.removeAllListeners("console");
      const ends = await attempts(page);
      equal(Object.entries(ends).filter(([, end]) => end === "done"), [], "what was not refused");
      const kinds = await page.evaluate(() => [...new Set(window.refused.map(([directive]) => directive))].sort());
      equal(kinds, ["connect-src", "require-trusted-types-for", "trusted-types"], "the directives that refused");
    } finally {
      await context.close();
      await server.stop();
    }
  });
}
