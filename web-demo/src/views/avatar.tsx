// Initials on a tint of their own, with a dot for presence.
import type { VNode } from "preact";
import { initials, tint } from "./format";

interface Props {
  name: string;
  /** Undefined: presence is not known, and no dot is drawn. */
  online?: boolean | undefined;
  agent?: boolean;
}

export function Avatar({ name, online, agent }: Props): VNode {
  return (
    <span class={`avatar tint-${tint(name)} ${agent ? "agent" : ""}`} aria-hidden="true">
      {initials(name)}
      {online !== undefined && <span class={`dot ${online ? "on" : "off"}`} />}
    </span>
  );
}
