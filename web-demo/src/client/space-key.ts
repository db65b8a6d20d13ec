// The public key of the space's owner, as this person has entered it in this browser: what attestations are checked by.
import { Emitter } from "@hiloop/sdk/chat";
import type { SpaceKey } from "@hiloop/sdk/manage";

export class SpaceKeySetting extends Emitter {
  value: SpaceKey | null;
  private readonly name: string;

  constructor(
    personId: string,
    private readonly storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> = localStorage,
  ) {
    super();
    this.name = `hiloop.space-key.${personId}`;
    this.value = read(storage.getItem(this.name));
  }

  /** The space stays the one that it was entered for, whatever the hub says later. */
  set(value: SpaceKey | null): void {
    this.value = value;
    if (value) this.storage.setItem(this.name, JSON.stringify(value));
    else this.storage.removeItem(this.name);
    this.changed();
  }
}

function read(text: string | null): SpaceKey | null {
  try {
    const { spaceId, publicKey } = JSON.parse(text ?? "null") as Partial<SpaceKey>;
    return typeof spaceId === "string" && typeof publicKey === "string" ? { spaceId, publicKey } : null;
  } catch {
    return null;
  }
}
