// One's own setting: how to be called to a request while another conversation, or another program, is in front.
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { NotifySettings } from "../../client/notify-settings";
import type { Notifier } from "../../client/notifier";
import { useStore } from "../hooks";

export function Notifications({ notifier }: { notifier: Notifier }): VNode {
  const { settings } = useStore(notifier);
  const [refused, setRefused] = useState(false);
  const allow = async (wanted: boolean): Promise<void> => {
    setRefused(false);
    if (!wanted) notifier.change({ desktop: false });
    else if (!(await notifier.allowDesktop())) setRefused(true);
  };
  const box = (name: keyof NotifySettings, label: string, change: (on: boolean) => void, isOff = false): VNode => (
    <label class="check">
      <input
        type="checkbox"
        data-testid={`notify-${name}`}
        checked={settings[name]}
        disabled={isOff}
        onChange={(event) => {
          change(event.currentTarget.checked);
          // What could not be switched on is not shown as on.
          event.currentTarget.checked = notifier.settings[name];
        }}
      />
      {label}
    </label>
  );
  return (
    <section aria-label="Notifications" class="notify" data-testid="notifications">
      <h3>Notifications</h3>
      {box("desktop", "Notify me of new requests while I am elsewhere", (on) => void allow(on))}
      {refused && (
        <p class="form-error" role="alert" data-testid="notify-refused">
          Your browser blocks notifications of this page. Allow them in its settings first.
        </p>
      )}
      {box("sealedText", "Show the text of encrypted requests in them", (sealedText) => notifier.change({ sealedText }), !settings.desktop)}
      <small>Your system may keep or show that text outside this page.</small>
      {box("sound", "Play a sound for urgent requests", (sound) => notifier.change({ sound }))}
    </section>
  );
}
