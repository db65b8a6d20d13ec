// The start of the page.
import { render } from "preact";
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
import "./styles/triage.css";
import "./styles/access.css";

const root = document.getElementById("app");
if (root) {
  root.replaceChildren();
  render(<App app={new AppState()} />, root);
}
