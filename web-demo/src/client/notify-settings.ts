// How a person wants to be called to a new request: their own setting, kept in this browser.
import type { KeyValue } from "./locks";

export interface NotifySettings {
  /** Notifications of the desktop. */
  desktop: boolean;
  /** A sound for urgent requests. */
  sound: boolean;
  /** The text of encrypted requests in a notification, which the system may keep. */
  sealedText: boolean;
}

const NONE: NotifySettings = { desktop: false, sound: false, sealedText: false };

export function loadSettings(storage: Pick<KeyValue, "getItem">, personId: string): NotifySettings {
  try {
    const kept = JSON.parse(storage.getItem(keyOf(personId)) ?? "{}") as Partial<NotifySettings> | null;
    return { desktop: kept?.desktop === true, sound: kept?.sound === true, sealedText: kept?.sealedText === true };
  } catch {
    return NONE;
  }
}

export function saveSettings(storage: Pick<KeyValue, "setItem">, personId: string, settings: NotifySettings): void {
  storage.setItem(keyOf(personId), JSON.stringify(settings));
}

function keyOf(personId: string): string {
  return `hiloop.notify.${personId}`;
}
