// The head of a conversation: its title, who takes part, and the way to close it.
import type { VNode } from "preact";
import { useRef, useState } from "preact/hooks";
import { type LiveSession, messageOf } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";
import { Dialog } from "./dialog";
import { DialogActions } from "./dialog-actions";
import { ConfirmLeave } from "./leave";
import { useDismiss } from "./dismiss";
import { goBack } from "./hooks";
import { IconButton } from "./icon-button";
import { BackIcon, PeopleIcon, SignOutIcon } from "./icons";
import { Participants } from "./participants";

interface Props {
  app: AppState;
  hub: Hub;
  live: LiveSession;
  title: string;
}

export function SessionHeader({ app, hub, live, title }: Props): VNode {
  const [showPeople, setShowPeople] = useState(false);
  const [closing, setClosing] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const people = useRef<HTMLDivElement>(null);
  const toggle = useRef<HTMLButtonElement>(null);
  useDismiss(people, showPeople, (byKey) => {
    setShowPeople(false);
    if (byKey) toggle.current?.focus();
  });
  const { session, participants } = live;
  const online = participants.filter((one) => one.online).length;
  const active = session?.status === "Active";
  return (
    <header class="session-header">
      {!hub.isGuest && (
        <IconButton label="Back to the list" testid="back" class="back" onPress={goBack}>
          <BackIcon />
        </IconButton>
      )}
      <div class="session-title">
        <h1 dir="auto" data-testid="session-title">
          {title || "…"}
        </h1>
        <p>
          {session && !active && <span class="tag">{session.status}</span>}
          {participants.length > 0 && `${participants.length} taking part, ${online} online`}
        </p>
      </div>
      <div class="people" ref={people}>
        <IconButton label="Who takes part" testid="show-participants" buttonRef={toggle} expanded={showPeople} onPress={() => setShowPeople(!showPeople)}>
          <PeopleIcon />
        </IconButton>
        {showPeople && <Participants live={live} isMe={(id) => hub.isMe(id)} spaceKey={hub.spaceKey} />}
      </div>
      {!hub.isGuest && active && (
        <button type="button" class="button quiet small" data-testid="close-session" title="Close this conversation" onClick={() => setClosing(true)}>
          Close
        </button>
      )}
      {hub.isGuest && (
        <IconButton label="Leave" testid="sign-out" onPress={() => setLeaving(true)}>
          <SignOutIcon />
        </IconButton>
      )}
      {leaving && <ConfirmLeave app={app} hub={hub} onClose={() => setLeaving(false)} />}
      {closing && <ConfirmClose live={live} onClose={() => setClosing(false)} />}
    </header>
  );
}

function ConfirmClose({ live, onClose }: { live: LiveSession; onClose: () => void }): VNode {
  const [error, setError] = useState<string | null>(null);
  const close = (): void => {
    live.close().then(onClose, (failure: unknown) => setError(messageOf(failure)));
  };
  return (
    <Dialog title="Close this conversation?" onClose={onClose}>
      <p>Nobody can write in it any more. Requests that still wait for an answer are cancelled.</p>
      <DialogActions back="Keep it open" onBack={onClose} error={error}>
        <button type="button" class="button danger" data-testid="confirm-close" onClick={close}>
          Close it
        </button>
      </DialogActions>
    </Dialog>
  );
}
