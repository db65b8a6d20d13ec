// Who takes part: name, kind, presence, and how far each has read.
import type { VNode } from "preact";
import type { LiveSession } from "@hiloop/sdk/chat";
import { Avatar } from "./avatar";

interface Props {
  live: LiveSession;
  isMe: (id: string | null) => boolean;
}

export function Participants({ live, isMe }: Props): VNode {
  const last = live.timeline.lastMessage();
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
              </small>
            </span>
          </li>
        );
      })}
    </ul>
  );
}
