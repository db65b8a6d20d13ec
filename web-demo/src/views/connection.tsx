// The state of the connection: silent while all is well, a banner when it is not.
import type { VNode } from "preact";
import type { HubSocket } from "@hiloop/sdk/chat";
import { useNow, useStore } from "./hooks";

export function Connection({ socket }: { socket: HubSocket }): VNode {
  useStore(socket);
  const { state, retryAt, endedReason } = socket;
  const now = useNow(500, state === "offline");
  const seconds = retryAt === null ? 0 : Math.max(0, Math.ceil((retryAt - now) / 1000));
  return (
    <div class={`connection ${state}`} role="region" aria-label="Connection" data-testid="connection" data-state={state}>
      <span role="status">{LABELS.get(state) ?? endedReason}</span>
      {state === "offline" && (
        <>
          <span>{seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again…"}</span>
          <button type="button" class="link" onClick={() => socket.reconnectNow()}>
            Try now
          </button>
        </>
      )}
      {state === "ended" && (
        <button type="button" class="link" onClick={() => location.reload()}>
          Reload
        </button>
      )}
    </div>
  );
}

const LABELS: ReadonlyMap<string, string> = new Map([
  ["connecting", "Connecting…"],
  ["online", "Connected"],
  ["offline", "No connection to the hub."],
]);
