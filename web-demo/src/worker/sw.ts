// The service worker: serves the page without a connection. The build writes its list of files (`build/release.ts`).
import { type Release, Shell } from "./shell";

declare const self: ServiceWorkerGlobalScope;
declare const __RELEASE__: Release;

const shell = new Shell({
  release: __RELEASE__,
  caches: self.caches,
  fetch: (input, init) => self.fetch(input, init),
  origin: self.location.origin,
});

/** Looked once in the life of this worker, which ends some seconds after its last request. */
let looked = false;

self.addEventListener("install", (event) => {
  // Takes over at once: pages of the former release go on with their own files, which stay.
  event.waitUntil(shell.install().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(shell.clean().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const answer = shell.answer(event.request);
  if (answer) event.respondWith(answer);
  if (event.request.mode === "navigate" && !looked) {
    looked = true;
    event.waitUntil(retire());
  }
});

self.addEventListener("message", (event) => {
  if (event.data === "is-gone") event.waitUntil(retire());
});

/** Browsers keep a worker whose script is gone. */
async function retire(): Promise<void> {
  if (!(await shell.isGone())) return;
  await self.registration.unregister();
  await shell.deleteAll();
}
