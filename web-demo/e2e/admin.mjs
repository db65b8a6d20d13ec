// Stories of the administration with a real hub: what an admin does here works there, and nobody else gets in.
import { attestedBytes, KeyPair, makeEntry } from "@hiloop/sdk/e2e";
import { axe } from "./access.mjs";
import { equal, noSidewaysScroll, until } from "./harness.mjs";
import { call } from "./hub.mjs";

export function adminStories({ scene, openPage, signIn, signInByForm, state, shot, hub: theHub, space }) {
  const human = (role) => space().another(role, role);
  const open = async (page, view) => {
    await page.evaluate((name) => (location.hash = `#/admin/${name}`), view);
    await page.locator(`[data-testid=admin][data-view=${view}]`).waitFor();
  };
  const line = (page, text) => page.getByTestId("admin-row").filter({ hasText: text });
  /** Everything that the browser keeps of the page. */
  const kept = (page) =>
    page.evaluate(async () => {
      const rows = [];
      for (const { name } of await indexedDB.databases()) {
        const db = await new Promise((resolve, reject) => Object.assign(indexedDB.open(name), { onsuccess: (event) => resolve(event.target.result), onerror: reject }));
        for (const store of db.objectStoreNames) {
          const all = await new Promise((resolve, reject) => Object.assign(db.transaction(store).objectStore(store).getAll(), { onsuccess: (event) => resolve(event.target.result), onerror: reject }));
          rows.push(...all);
        }
        db.close();
      }
      return JSON.stringify([rows, { ...localStorage }, { ...sessionStorage }, location.href, history.state, document.cookie, document.documentElement.outerHTML]);
    });
  const secretOf = async (page) => {
    await page.getByTestId("secret").waitFor();
    return (await page.getByTestId("secret").innerText()).trim();
  };
  const mustNotHold = async (page, secret, where) => {
    if ((await kept(page)).includes(secret)) throw new Error(`The secret is still in the page or its storage: ${where}`);
  };

  scene("admin: a key made in the page works, is shown once, and is gone when it is revoked", async () => {
    const admin = await human("Admin");
    const { page, errors } = await signInByForm(admin);
    const logged = [];
    page.on("console", (message) => logged.push(message.text()));
    const urls = [];
    page.on("request", (request) => urls.push(request.url()));
    await page.getByTestId("administration").click();
    await page.getByTestId("admin-keys").click();
    await page.getByTestId("new-key").click();
    await page.getByTestId("permission-space").check();
    await page.getByTestId("key-agent").fill("made-in-the-page");
    await page.getByTestId("key-lifetime").selectOption({ label: "7 days" });
    await shot(page, "admin-new-key");
    await page.getByTestId("create-key").click();
    const key = await secretOf(page);
    equal(/^hlp_[0-9a-f]{64}$/.test(key), true, "the form of the key");
    // Neither Escape nor a press beside it loses what is shown once.
    await page.keyboard.press("Escape");
    await page.getByTestId("secret-state").filter({ hasText: "not shown again" }).waitFor();
    await page.mouse.click(5, 5);
    equal(await secretOf(page), key, "the key after Escape and a press beside it");
    await page.getByTestId("secret-saved").click();
    await page.getByTestId("secret").waitFor({ state: "detached" });
    await mustNotHold(page, key, "after it was closed");
    equal(logged.some((text) => text.includes(key)), false, "the key in the log of the browser");
    equal(urls.some((url) => url.includes(key)), false, "the key in an address");
    const me = await call(theHub().base, "GET", "/agent/me", null, { "x-api-key": key });
    equal([me.name, me.permission], ["made-in-the-page", "space"], "whom the key acts as");
    const made = line(page, key.slice(0, 8)).filter({ hasText: "made-in-the-page" });
    await made.filter({ hasText: "space" }).filter({ hasText: `made by ${admin.name}` }).waitFor();
    await shot(page, "admin-keys");
    await page.reload();
    await page.getByTestId("keys-list").waitFor();
    await mustNotHold(page, key, "after a reload");
    await made.getByTestId("revoke").click();
    await page.getByTestId("cascade").check();
    await shot(page, "admin-revoke");
    await page.getByTestId("confirm-end").click();
    await made.waitFor({ state: "detached" });
    await until("the end of the key", () => call(theHub().base, "GET", "/agent/me", null, { "x-api-key": key }).then(() => false, (error) => /401/.test(error.message)));
    await open(page, "audit");
    for (const event of ["key.created", "key.revoked"]) await page.locator(`[data-testid=audit-row][data-event="${event}"]`).filter({ hasText: `By ${admin.name}` }).first().waitFor();
    equal(errors, [], "errors of the page");
  });

  scene("admin: an invited person sets a password in another browser, and is cut off when they are deactivated", async () => {
    const admin = await human("Admin");
    const { page } = await signInByForm(admin, "/#/admin/people");
    await page.getByTestId("people").waitFor();
    await page.getByTestId("invite").click();
    const [name, email] = ["Nora Lind", `nora@${space().name}.example.org`];
    await page.getByTestId("invite-name").fill(name);
    await page.getByTestId("invite-email").fill(email);
    await page.getByTestId("send-invite").click();
    const link = await secretOf(page);
    await page.getByTestId("qr").waitFor();
    await shot(page, "admin-setup-link");
    await page.getByTestId("secret-saved").click();
    await mustNotHold(page, link.split("=")[1], "after it was closed");
    await line(page, email).filter({ hasText: "No key" }).waitFor();

    const { page: theirs } = await openPage(`/${new URL(link).hash}`);
    await theirs.getByTestId("password").fill("chosen by Nora herself");
    await theirs.getByTestId("password-again").fill("chosen by Nora herself");
    await theirs.getByTestId("set-password").click();
    await state(theirs, "online");
    equal(await theirs.getByTestId("administration").count(), 0, "ways to the administration for a member");

    // The address is taken now.
    await page.getByTestId("invite").click();
    await page.getByTestId("invite-name").fill("Another");
    await page.getByTestId("invite-email").fill(email.toUpperCase());
    await page.getByTestId("send-invite").click();
    await until("the reason of the hub", async () => (await page.getByTestId("invite-error").innerText()).length > 5);
    await page.getByRole("button", { name: "Cancel" }).click();

    await line(page, email).getByTestId("deactivate").click();
    await page.getByRole("dialog", { name: `Deactivate ${name}?` }).filter({ hasText: "every sign-in" }).waitFor();
    await shot(page, "admin-deactivate");
    await page.getByTestId("confirm-end").click();
    await line(page, email).filter({ hasText: "Deactivated" }).waitFor();
    await theirs.getByTestId("email").waitFor();
    await open(page, "audit");
    await page.getByTestId("audit-event").selectOption({ label: "Person deactivated" });
    await until("the filtered entries", async () => {
      const events = await page.getByTestId("audit-row").evaluateAll((rows) => rows.map((one) => one.dataset.event));
      return events.length > 0 && events.every((event) => event === "human.deactivated");
    });
    await page.getByTestId("audit-event").selectOption({ label: "Setup link used" });
    await page.getByTestId("audit-who").fill(name);
    await until("the use of the link", async () => (await page.getByTestId("audit-row").count()) === 1);
    await page.getByTestId("audit-row").locator("time").focus();
    await shot(page, "admin-audit");
  });

  scene("admin: a member is refused without a request, and one who is demoted or deactivated is let out", async () => {
    const [member, admin] = [await human("Member"), await human("Admin")];
    const { page: theirs } = await openPage("/#/admin/keys");
    const asked = [];
    theirs.on("request", (request) => request.url().includes("/v1/manage") && asked.push(request.url()));
    for (const field of ["email", "password"]) await theirs.getByTestId(field).fill(member[field]);
    await theirs.getByTestId("sign-in").click();
    await theirs.getByTestId("not-allowed").waitFor();
    await shot(theirs, "admin-not-allowed");
    equal(asked, [], "requests of a member");
    await theirs.goBack().catch(() => undefined);

    // The page takes this person for an admin, and the hub does not.
    const { page } = await openPage("/#/admin/people");
    const calls = [];
    page.on("request", (request) => request.url().includes("/v1/manage") && calls.push(request.url()));
    await page.context().route("**/v1/human/me", async (route) => {
      const reply = await route.fetch();
      await route.fulfill({ response: reply, json: { ...(await reply.json()), role: "Admin" } });
    });
    for (const field of ["email", "password"]) await page.getByTestId(field).fill(member[field]);
    await page.getByTestId("sign-in").click();
    await page.getByTestId("not-allowed").filter({ hasText: "permission 'manage'" }).waitFor();
    equal(calls.length, 1, "requests after the first refused one");

    const [{ page: first }, { page: second }] = await Promise.all([signInByForm(admin, "/#/admin/people"), signInByForm(await human("Admin"), "/#/admin/people")]);
    await line(second, admin.email).getByTestId("deactivate").click();
    await second.getByTestId("confirm-end").click();
    await first.getByTestId("email").waitFor();
    equal(await first.getByTestId("admin").count(), 0, "administration after the end");
  });

  scene("admin: an agent is made and deactivated, with its keys; the hub's reasons are shown", async () => {
    const admin = await human("Admin");
    const { page } = await signInByForm(admin, "/#/admin/agents");
    const name = "made-by-hand";
    for (const expected of ["made", "refused"]) {
      await page.getByTestId("new-agent").click();
      await page.getByTestId("agent-name").fill(name);
      await page.getByTestId("agent-description").fill("<b>Made</b> by hand");
      await page.getByTestId("create-agent").click();
      if (expected === "made") await line(page, name).filter({ hasText: "<b>Made</b> by hand" }).waitFor();
      else await until("the reason of the hub", async () => (await page.getByTestId("agent-error").innerText()).length > 5);
    }
    await page.getByRole("button", { name: "Cancel" }).click();
    const key = await space().agentKey(name);
    await call(theHub().base, "GET", "/agent/me", null, { "x-api-key": key });
    await line(page, name).getByTestId("deactivate").click();
    await page.getByTestId("confirm-end").click();
    await line(page, name).filter({ hasText: "Deactivated" }).waitFor();
    await until("the end of its key", () => call(theHub().base, "GET", "/agent/me", null, { "x-api-key": key }).then(() => false, (error) => /401/.test(error.message)));
    // Keys of owners are above an admin.
    await open(page, "keys");
    await line(page, "owner").first().filter({ hasText: "Above an admin's permission" }).waitFor();
  });

  scene("admin: a reply that is lost makes no second key", async () => {
    const { page } = await signInByForm(await human("Admin"), "/#/admin/keys");
    const name = "lost-reply";
    let lost = 0;
    await page.route("**/v1/manage/keys", async (route) => {
      if (route.request().method() !== "POST" || lost > 0) return route.fallback();
      lost += 1;
      // It reaches the hub, and its reply does not come back.
      await route.fetch();
      return route.abort("connectionreset");
    });
    await page.getByTestId("new-key").click();
    await page.getByTestId("key-agent").fill(name);
    await page.getByTestId("create-key").click();
    await page.getByTestId("key-error").filter({ hasText: "can't be reached" }).waitFor();
    await page.getByTestId("create-key").click();
    const key = await secretOf(page);
    const me = await call(theHub().base, "GET", "/agent/me", null, { "x-api-key": key });
    const { data } = await space().call("GET", "/manage/keys?pageSize=100");
    equal([me.name, data.filter(({ agentId }) => agentId === me.id).length], [name, 1], "the agent of the key, and its keys");
  });

  scene("admin: Back goes through the views and out, and the address opens one of them", async () => {
    const { page } = await signInByForm(await human("Admin"));
    await page.getByTestId("administration").click();
    await page.getByTestId("people").waitFor();
    await page.getByTestId("admin-audit").click();
    await page.locator("[data-testid=admin][data-view=audit]").waitFor();
    await page.goBack();
    await page.locator("[data-testid=admin][data-view=people]").waitFor();
    await page.goBack();
    await page.getByTestId("admin").waitFor({ state: "detached" });
    await page.goForward();
    await page.locator("[data-testid=admin][data-view=people]").waitFor();
    await page.reload();
    await page.getByTestId("people").waitFor();
  });

  scene("admin: attestations are checked by the space key that was entered, whatever the hub says", async () => {
    const { page, errors } = await signInByForm(await human("Admin"), "/#/admin/attestations");
    const [owner, other, pair] = [KeyPair.generate(), KeyPair.generate(), KeyPair.generate()];
    const name = "keyed-bot";
    const key = await space().agentKey(name);
    const own = (method, path, body) => call(theHub().base, method, path, body, { "x-api-key": key });
    const { id, spaceId } = await own("GET", "/agent/me");
    await own("PUT", "/agent/public-key", makeEntry(id, pair));
    const attest = (by, notAfter) =>
      space().call("PUT", `/manage/attestations/${id}`, { keyId: pair.keyId, notAfter, signature: Buffer.from(by.sign(attestedBytes(spaceId, id, pair.keyId, notAfter))).toString("base64url") });
    const shows = async (state) => {
      await page.reload();
      await line(page, name).locator(`[data-testid=attestation][data-state=${state}]`).waitFor();
    };
    await shows("missing");
    await line(page, name).getByTestId("show-to-sign").click();
    equal(JSON.parse(await line(page, name).getByTestId("to-sign").innerText()), { spaceId, principalId: id, keyId: pair.keyId }, "what to sign");
    await attest(owner, "2126-01-01T00:00:00.000Z");
    await shows("unchecked");
    await page.getByTestId("space-key-input").fill(key);
    await page.getByTestId("save-space-key").click();
    await page.getByTestId("space-key-error").filter({ hasText: "Never paste a private key" }).waitFor();
    await page.getByTestId("space-key-input").fill(owner.signingKey);
    await page.getByTestId("save-space-key").click();
    await line(page, name).locator("[data-testid=attestation][data-state=attested]").waitFor();
    await shot(page, "admin-attested");
    // In a conversation too, for everyone with a space key.
    const session = await own("POST", "/agent/sessions", { title: "With an attested key" });
    await page.evaluate((hash) => (location.hash = hash), `#/s/${session.id}`);
    await page.getByTestId("show-participants").click();
    await page.getByTestId("participant").filter({ hasText: name }).locator("[data-testid=attested][data-state=attested]").waitFor();
    await shot(page, "admin-attested-participant");
    await page.goBack();
    await attest(other, "2126-01-01T00:00:00.000Z");
    await shows("wrong");
    await attest(owner, new Date(Date.now() + 2_000).toISOString());
    await until("the end of the attestation", async () => {
      await page.reload();
      const tag = line(page, name).getByTestId("attestation");
      await tag.waitFor();
      return (await tag.getAttribute("data-state")) === "ended";
    });
    await open(page, "agents");
    await line(page, name).filter({ hasText: "Attestation ended" }).waitFor();
    equal(errors, [], "errors of the page");
  });

  scene("settings: one signs out everywhere, here and in another browser", async () => {
    const person = await human("Member");
    const [{ page }, { page: other }] = [await signInByForm(person), await signInByForm(person)];
    await page.getByTestId("account").click();
    await until("both sign-ins", async () => (await page.getByTestId("sign-in-row").count()) === 2);
    await page.getByTestId("end-all-sign-ins").click();
    await shot(page, "settings-end-all");
    await page.getByTestId("confirm-end-all").click();
    await Promise.all([page, other].map((one) => one.getByTestId("email").waitFor()));
    equal(await other.evaluate(() => localStorage.getItem("hiloop.tokens")), null, "tokens in the other browser");
  });

  scene("settings: the key id is that of the keys in this browser, for the one who attests it", async () => {
    const { page } = await signInByForm(await human("Admin"), "/", { keys: true });
    await page.getByTestId("code-noted").click();
    await page.getByTestId("recovery-code").waitFor({ state: "detached" });
    await page.getByTestId("account").click();
    const keyId = await page.getByTestId("own-key-id").innerText();
    await shot(page, "settings");
    await page.keyboard.press("Escape");
    await open(page, "attestations");
    await page.getByTestId("admin-row").filter({ hasText: keyId }).filter({ hasText: "Not attested" }).waitFor();
  });

  for (const colorScheme of ["light", "dark"]) {
    scene(`admin: axe finds nothing in any view, a phone has room for it, ${colorScheme}`, async () => {
      const { page } = await signInByForm(await human("Admin"), "/", { colorScheme, reducedMotion: "reduce" });
      const agent = space().agent(`keyed-${colorScheme}`);
      await agent.session("Something for the lists");
      const views = { people: "people", agents: "agents-list", keys: "keys-list", attestations: "attested-agents", audit: "audit-row" };
      for (const [view, testid] of Object.entries(views)) {
        await open(page, view);
        await page.getByTestId(testid).first().waitFor();
        await axe(page, `${view}, ${colorScheme}`);
        await shot(page, `admin-${view}-${colorScheme}`);
      }
      for (const [view, button, field] of [["people", "invite", "invite-name"], ["agents", "new-agent", "agent-name"], ["keys", "new-key", "key-agent"]]) {
        await open(page, view);
        await page.getByTestId(button).click();
        await page.getByTestId(field).waitFor();
        await axe(page, `${button}, ${colorScheme}`);
        await page.keyboard.press("Escape");
        await page.getByTestId(field).waitFor({ state: "detached" });
      }
      await page.setViewportSize({ width: 360, height: 740 });
      for (const view of Object.keys(views)) {
        await open(page, view);
        await page.getByTestId(views[view]).first().waitFor();
        await noSidewaysScroll(page);
        const low = await page.locator("main :is(.button, .icon-button, .admin-views a)").evaluateAll((all) => all.filter((one) => one.getClientRects().length > 0 && one.getBoundingClientRect().height < 44).map((one) => one.textContent));
        equal(low, [], `buttons that are too low for a finger: ${view}`);
        await shot(page, `admin-${view}-phone-${colorScheme}`);
      }
      await page.getByTestId("back").click();
      await page.getByTestId("feed").waitFor();
    });
  }

  scene("admin: by keys alone a key is made and saved, and the focus comes back", async () => {
    const { page } = await signInByForm(await human("Admin"), "/#/admin/keys");
    await page.getByTestId("keys-list").waitFor();
    const tabTo = async (testid) => {
      for (let i = 0; i < 60; i += 1) {
        if ((await page.evaluate(() => document.activeElement?.getAttribute("data-testid"))) === testid) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`The Tab key does not reach ${testid}.`);
    };
    await tabTo("new-key");
    await page.keyboard.press("Enter");
    await tabTo("key-agent");
    await page.keyboard.type("by-keys");
    await page.keyboard.press("Enter");
    await page.getByTestId("secret").waitFor();
    await tabTo("secret-saved");
    await page.keyboard.press("Enter");
    await page.getByTestId("secret").waitFor({ state: "detached" });
    await line(page, "by-keys").waitFor();
    await until("the focus in the view", () => page.evaluate(() => document.activeElement?.closest("[data-testid=admin]") !== null));
  });
}
