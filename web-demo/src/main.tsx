// The start of the page.
import { render } from "preact";
import { registerWorker } from "./client/worker";
import { App } from "./views/app";
import { AppState } from "./views/app-state";
import "./styles/base.css";
import "./styles/layout.css";
import "./styles/timeline.css";
import "./styles/components.css";
import "./styles/code.css";
import "./styles/form.css";
import "./styles/figures.css";
import "./styles/encryption.css";
import "./styles/unsent.css";
import "./styles/triage.css";
import "./styles/access.css";

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App app={new AppState()} />, root);
}

/** After all that the page needs now: the worker loads each of its files. */
const whenQuiet = window.requestIdleCallback ?? ((then: () => void) => setTimeout(then, 2_000));
if (import.meta.env.PROD) window.addEventListener("load", () => whenQuiet(() => void registerWorker()), { once: true });
