// The administration of the space, for its admins; the script loads when one of them opens it.
import type { ComponentType, VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Hub } from "../client/hub";
import type { AdminProps } from "./admin/admin";
import { AdminHeader } from "./admin-header";
import type { AppState } from "./app-state";

interface Props {
  app: AppState;
  hub: Hub;
  view: string;
}

export function AdminPane({ app, hub, view }: Props): VNode {
  /** Why the hub refused it, after the role was read. */
  const [denied, setDenied] = useState<string | null>(null);
  const [View, setView] = useState<ComponentType<AdminProps> | null>(null);
  const [error, setError] = useState<string | null>(null);
  const mayTry = hub.isAdmin && denied === null;
  const load = (): void => {
    setError(null);
    import("./admin/admin").then(
      ({ Admin }) => setView(() => Admin),
      () => setError("This part of the page could not be loaded."),
    );
  };
  useEffect(() => {
    if (mayTry) load();
  }, [mayTry]);
  if (mayTry && View) return <View app={app} hub={hub} view={view} onDenied={setDenied} />;
  return (
    <main class="session-pane" tabIndex={-1} data-testid="admin" aria-label="Administration">
      <AdminHeader />
      <div class="nothing">{hub.me === null || mayTry ? <Waiting error={error} onRetry={load} /> : <NotAllowed reason={denied} />}</div>
    </main>
  );
}

function Waiting({ error, onRetry }: { error: string | null; onRetry: () => void }): VNode {
  if (error === null) return <p>Loading…</p>;
  return (
    <p role="alert">
      {error}{" "}
      <button type="button" class="link" onClick={onRetry}>
        Try again
      </button>
    </p>
  );
}

function NotAllowed({ reason }: { reason: string | null }): VNode {
  return (
    <div data-testid="not-allowed" role="alert">
      <p>You are not allowed to manage this space. That takes the role Admin, which an admin gives.</p>
      {reason && <p dir="auto">{reason}</p>}
    </div>
  );
}
