// Calls the person to a request in a conversation that is not in front of them: words for a screen reader, a
// notification of the desktop, a sound.
import { authorName, Emitter, type FeedItem, isSealedByScheme, type Message, openedOf, preview } from "@hiloop/sdk/chat";
import { loadSettings, type NotifySettings, saveSettings } from "./notify-settings";
import { playChime } from "./chime";

export interface Said {
  text: string;
  urgent: boolean;
}

interface Options {
  /** Opens the conversation of a request that was clicked. */
  open: (sessionId: string, messageId: string) => void;
  /** Whether a conversation is in front of the person. */
  isInFront: (sessionId: string) => boolean;
}

export class Notifier extends Emitter {
  /** The last request elsewhere, in words. */
  said: Said | null = null;
  private personId: string | null = null;
  settings: NotifySettings = { desktop: false, sound: false, sealedText: false };

  constructor(private readonly options: Options) {
    super();
  }

  identify(personId: string): void {
    this.personId = personId;
    this.settings = loadSettings(localStorage, personId);
    this.changed();
  }

  change(part: Partial<NotifySettings>): void {
    this.settings = { ...this.settings, ...part };
    if (this.personId !== null) saveSettings(localStorage, this.personId, this.settings);
    this.changed();
  }

  /** `false`: the browser or the person refuses notifications. */
  async allowDesktop(): Promise<boolean> {
    if (!("Notification" in window)) return false;
    const permission = Notification.permission === "default" ? await Notification.requestPermission() : Notification.permission;
    const isAllowed = permission === "granted";
    if (isAllowed) this.change({ desktop: true });
    return isAllowed;
  }

  /** Somebody has asked something. `message`: the request, null where it could not be read. */
  asked({ session, highestPriority }: FeedItem, message: Message | null): void {
    if (message?.answerers && this.personId !== null && !message.answerers.includes(this.personId)) return;
    if (this.options.isInFront(session.id)) return;
    const urgent = (message?.priority ?? highestPriority) === "Urgent";
    const who = message ? authorName(message) : "Someone";
    this.said = { text: `${urgent ? "Urgent request" : "New request"} from ${who}: ${message ? preview(message) : "open the conversation to read it"}`, urgent };
    this.changed();
    if (urgent && this.settings.sound) void playChime(message?.id ?? session.id);
    if (!document.hasFocus() || urgent) this.notify(session.id, message, who, urgent);
  }

  private notify(sessionId: string, message: Message | null, who: string, urgent: boolean): void {
    if (!this.settings.desktop || !("Notification" in window) || Notification.permission !== "granted") return;
    // The tag makes one notification of those of several tabs.
    const title = `${who} asks${urgent ? ": urgent" : ""}`;
    const notification = create(title, { body: this.bodyOf(message), tag: message?.id ?? sessionId, icon: "/icons/icon.svg" });
    if (!notification) return this.change({ desktop: false });
    notification.onclick = () => {
      window.focus();
      notification.close();
      this.options.open(sessionId, message?.id ?? "");
    };
  }

  private bodyOf(message: Message | null): string {
    if (!message) return "A request waits for your answer.";
    const isSealed = isSealedByScheme(message.encryptedContent);
    if (isSealed && !(this.settings.sealedText && openedOf(message))) return "An encrypted request waits for your answer.";
    return preview(message);
  }
}

/** Null where the browser allows them to service workers only, as those of phones do. */
function create(title: string, options: NotificationOptions): Notification | null {
  try {
    return new Notification(title, options);
  } catch {
    return null;
  }
}
