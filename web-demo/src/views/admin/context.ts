// What the views of the administration share: the calls, and what becomes of a refused one.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import { HiloopError, messageOf } from "@hiloop/sdk/chat";
import type { Manage } from "@hiloop/sdk/manage";
import type { Hub } from "../../client/hub";
import { SpaceKeySetting } from "../../client/space-key";

export class AdminContext {
  readonly spaceKey: SpaceKeySetting;

  constructor(
    readonly hub: Hub,
    readonly manage: Manage,
    /** The person may not manage the space any more. */
    private readonly denied: (reason: string) => void,
  ) {
    this.spaceKey = hub.spaceKey ?? new SpaceKeySetting(hub.me?.id ?? "");
  }

  /** The words for a call that failed. After a 403 the role is read again: it may have been taken away. */
  failed(error: unknown): string {
    if (error instanceof HiloopError && error.status === 403) void this.checkRole(error.message);
    return messageOf(error);
  }

  /** The hub does not show something to this person. */
  refused(error: unknown): string {
    if (error instanceof HiloopError && error.status === 403) this.denied(error.message);
    return messageOf(error);
  }

  private async checkRole(reason: string): Promise<void> {
    await this.hub.lookAtMe().catch(() => undefined);
    if (!this.hub.isAdmin) this.denied(reason);
  }
}

const Context = createContext<AdminContext | null>(null);

export const AdminProvider = Context.Provider;

export function useAdmin(): AdminContext {
  const admin = useContext(Context);
  if (!admin) throw new Error("Outside of the administration");
  return admin;
}
