// The outbox of one conversation alone, in memory: for a page that has none over all its conversations.
import { Dispatch, type OpenConversation } from "./dispatch.js";
import { Outbox } from "./outbox.js";
import { MemoryOutboxStore } from "./outbox-store.js";
import type { Rest } from "./rest.js";
import type { Sealing } from "./sealing.js";

interface Options {
  rest: Rest;
  conversation: OpenConversation;
  sealing: () => Sealing | null;
  isMe: (id: string | null) => boolean;
}

export function ownOutbox({ rest, conversation, sealing, isMe }: Options): Outbox {
  const dispatch = new Dispatch({ rest, conversation: () => conversation, sealing });
  const outbox = new Outbox({
    send: (written, keep) => dispatch.send(written, keep),
    question: (written) => dispatch.question(written),
    isMe,
  });
  void outbox.start(new MemoryOutboxStore(), false);
  return outbox;
}
