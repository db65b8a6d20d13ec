#!/usr/bin/env node
// Starts a stock Firefox for Playwright, and answers the commands of WebDriver BiDi that this Firefox is too old for.
//
// Playwright asks for them whether or not a story needs them. Firefox itself listens to one connection, which is passed
// through. `FIREFOX=PATH`, by default /usr/bin/firefox-esr; the arguments are those of Firefox.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { WebSocket, WebSocketServer } from "ws";

/** Settings of the browser that the stories for Firefox don't make. */
const OPTIONAL = new Set(["emulation.setMediaFeaturesOverride", "emulation.setScreenSettingsOverride"]);

const firefox = spawn(process.env.FIREFOX ?? "/usr/bin/firefox-esr", process.argv.slice(2), { stdio: ["ignore", "inherit", "pipe"] });
firefox.on("error", (error) => {
  console.error(String(error));
  process.exit(1);
});
firefox.on("exit", (code) => process.exit(code ?? 1));
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, () => firefox.kill(signal));

createInterface({ input: firefox.stderr }).on("line", (line) => {
  const [, url] = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(line) ?? [];
  if (url) void listen(url);
  else console.error(line);
});

async function listen(url) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  server.on("connection", (client, { url: path }) => pass(client, new WebSocket(url + path, { perMessageDeflate: false })));
  console.error(`WebDriver BiDi listening on ws://127.0.0.1:${server.address().port}`);
}

function pass(client, browser) {
  const optional = new Set();
  const ready = once(browser, "open");
  client.on("message", async (data) => {
    const text = String(data);
    const { id, method } = JSON.parse(text);
    if (OPTIONAL.has(method)) optional.add(id);
    await ready;
    browser.send(text);
  });
  browser.on("message", (data) => {
    const text = String(data);
    const { id, error } = JSON.parse(text);
    const isUnknown = optional.delete(id) && error === "unknown command";
    client.send(isUnknown ? JSON.stringify({ type: "success", id, result: {} }) : text);
  });
  client.on("close", () => browser.close());
  browser.on("close", () => client.close());
  for (const one of [client, browser]) one.on("error", () => one.terminate());
}
