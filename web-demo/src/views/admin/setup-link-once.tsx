// A one-time link with which a person chooses a password, shown once.
import type { VNode } from "preact";
import type { SetupLink } from "@hiloop/sdk/manage";
import { fullTime } from "../format";
import { SecretOnce } from "./secret-once";

export function SetupLinkOnce({ name, link, onDone }: { name: string; link: SetupLink; onDone: () => void }): VNode {
  return (
    <SecretOnce title={`The setup link of ${name}`} secret={link.setupUrl} what="the link" qr="The link as a QR code" onDone={onDone}>
      <p>
        Give it to {name} alone: whoever opens it first chooses the password. It works once
        {link.expiresAt && `, until ${fullTime(link.expiresAt)}`}.
      </p>
    </SecretOnce>
  );
}
