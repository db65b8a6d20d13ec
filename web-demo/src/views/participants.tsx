// Who takes part: name, kind, presence, and how far each has read.
import type { VNode } from "preact";
import type { LiveSession } from "@hiloop/sdk/chat";
import { useState } from "preact/hooks";
import type { SpaceKeySetting } from "../client/space-key";
import { Attested } from "./attested";
import { Avatar } from "./avatar";
import { SafetyDialog } from "./safety";
import { ShareHistory } from "./share-history";

interface Props {
  live: LiveSession;
  isMe: (id: string | null) => boolean;
  spaceKey: SpaceKeySetting | null;
}

export function Participants({ live, isMe, spaceKey }: Props): VNode {
  const last = live.timeline.lastMessage();
  const [comparing, setComparing] = useState<string | null>(null);
  const hasKeys = live.seals.sealing !== null;
  return (
    <ul class="participants" data-testid="participants">
      {live.participants.map((one) => {
        const mine = isMe(one.humanId ?? one.guestId);
        const read = last !== undefined && (one.lastReadSeq ?? 0) >= last.seq;
        return (
          <li key={one.id} data-testid="participant" data-online={one.online} data-participant-id={one.id}>
            <Avatar name={one.name ?? "?"} online={one.online} agent={one.type === "Agent"} />
            <span>
              {one.name ?? "Someone"}
              {mine && " (you)"}
              <small>
                {one.type}
                {one.type === "Guest" && one.invitedBy?.name && ` invited by ${one.invitedBy.name}`}, {one.online ? "online" : "offline"}
                {read && ", has read everything"}
                {hasKeys && !one.key && ", no encryption key"}
              </small>
              {spaceKey && <Attested setting={spaceKey} participant={one} />}
              {hasKeys && !mine && one.key && (
                <span class="participant-keys">
                  <button type="button" class="link" data-testid="safety" onClick={() => setComparing(one.id)}>
                    Safety number
                  </button>
                  {live.encryption === "sealed" && <ShareHistory live={live} participant={one} />}
                </span>
              )}
              {comparing === one.id && <SafetyDialog live={live} participant={one} onClose={() => setComparing(null)} />}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
