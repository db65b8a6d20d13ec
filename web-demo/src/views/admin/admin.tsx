// The administration of the space: its views, each with an address of its own.
import type { FunctionComponent, VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Manage } from "@hiloop/sdk/manage";
import type { Hub } from "../../client/hub";
import { AdminHeader } from "../admin-header";
import type { AppState } from "../app-state";
import { Agents } from "./agents";
import { Attestations } from "./attestations";
import { Audit } from "./audit";
import { AdminContext, AdminProvider } from "./context";
import { Keys } from "./keys";
import { People } from "./people";
import "../../styles/settings.css";
import "../../styles/admin.css";

export interface AdminProps {
  app: AppState;
  hub: Hub;
  view: string;
  /** The hub does not let the person in (any more), with its reason. */
  onDenied: (reason: string) => void;
}

interface View {
  label: string;
  show: FunctionComponent;
}

const VIEWS: ReadonlyMap<string, View> = new Map<string, View>([
  ["people", { label: "People", show: People }],
  ["agents", { label: "Agents", show: Agents }],
  ["keys", { label: "API keys", show: Keys }],
  ["attestations", { label: "Attestations", show: Attestations }],
  ["audit", { label: "Audit log", show: Audit }],
]);

export function Admin({ hub, view, onDenied }: AdminProps): VNode {
  const admin = useMemo(() => new AdminContext(hub, new Manage(hub.rest.http), onDenied), [hub]);
  const main = useRef<HTMLElement>(null);
  // What opened it may be out of sight.
  useEffect(() => main.current?.focus({ preventScroll: true }), []);
  const views = useRef<HTMLElement>(null);
  // On a phone the views have no room beside each other.
  useEffect(() => views.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [view]);
  const chosen = VIEWS.get(view);
  return (
    <main class="session-pane" ref={main} tabIndex={-1} data-testid="admin" data-view={view} aria-label="Administration">
      <AdminHeader />
      <nav class="admin-views" ref={views} aria-label="Views of the administration">
        {[...VIEWS].map(([name, { label }]) => (
          <a key={name} href={`#/admin/${name}`} data-testid={`admin-${name}`} aria-current={name === view ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
      <div class="admin-body">
        <AdminProvider value={admin}>{chosen ? <chosen.show key={view} /> : <p class="hint">There is no such view.</p>}</AdminProvider>
      </div>
    </main>
  );
}
