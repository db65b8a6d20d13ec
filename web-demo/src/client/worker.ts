// Registers the service worker, which serves the page without a connection (`src/worker`).

interface Policy {
  createScriptURL(url: string): string;
}

interface PolicyFactory {
  createPolicy(name: string, rules: Policy): Policy;
}

/** The name stands in the content security policy of the hub. */
const POLICY = "hiloop-worker";
const WORKER = "/sw.js";

let registered: Promise<ServiceWorkerRegistration | null> | null = null;

/** Null where the page can have none: over plain http, except to this machine, and in some private windows. */
export function registerWorker(): Promise<ServiceWorkerRegistration | null> {
  registered ??= register();
  return registered;
}

/** Looks for a newer one. */
export async function updateWorker(): Promise<void> {
  const registration = await registered;
  // The hub may have none (any more): the one that is still there looks for itself.
  await registration?.update().catch(() => registration.active?.postMessage("is-gone"));
}

async function register(): Promise<ServiceWorkerRegistration | null> {
  if (!window.isSecureContext || !("serviceWorker" in navigator)) return null;
  try {
    const registration = await navigator.serviceWorker.register(scriptUrl(), { updateViaCache: "none" });
    // Where there is one already, the hub was not asked.
    if (registration?.active) void Promise.resolve().then(updateWorker);
    return registration ?? null;
  } catch {
    return null;
  }
}

/** With Trusted Types, an address of a script comes from a policy that lets nothing else through. */
function scriptUrl(): string {
  const factory = (window as { trustedTypes?: PolicyFactory }).trustedTypes;
  if (!factory) return WORKER;
  const policy = factory.createPolicy(POLICY, {
    createScriptURL: (url) => {
      if (url !== WORKER) throw new TypeError("No address of a script of this page");
      return url;
    },
  });
  return policy.createScriptURL(WORKER);
}
