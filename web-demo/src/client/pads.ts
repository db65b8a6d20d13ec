// Encryption without waiting. The browser's cryptography replies later than a page can be gone, so key streams are made
// ahead: AES-GCM over zeros under a fresh IV. Each is used for one text, and made again from its IV to read that text.
import { fromBase64, toBase64 } from "@hiloop/sdk/chat";

/** Null where the browser does no cryptography (a page without https): texts stay as they are. */
export type KeyStream = (iv: Uint8Array<ArrayBuffer>, length: number) => Promise<Uint8Array> | null;

interface Pad {
  iv: Uint8Array<ArrayBuffer>;
  stream: Uint8Array;
}

/** Ready at any time: more than the key presses of one task. */
const COUNT = 8;
const MIN_BYTES = 2_048;
/** A longer text is not worth its memory here. */
const MAX_BYTES = 65_536;
/** Before the text: tells a text that was read with its own key from noise. */
const MARK = "hiloop:";

export class Pads {
  private ready: Pad[] = [];
  private bytes = MIN_BYTES;
  private making: Promise<void> | null = null;
  private isMissed = false;

  /** `refilled` is called when there is one again, after none was there. */
  constructor(
    private readonly keyStream: KeyStream,
    private readonly refilled: () => void,
  ) {
    void this.fill();
  }

  /** Null while no key stream of that length is there, and for a text that is too long. */
  lock(text: string): string | null {
    const bytes = new TextEncoder().encode(MARK + text);
    if (bytes.length > MAX_BYTES) return null;
    // The next ones leave room to go on.
    while (this.bytes < bytes.length) this.bytes *= 2;
    this.ready = this.ready.filter(({ stream }) => stream.length >= bytes.length);
    const pad = this.ready.shift();
    this.isMissed ||= !pad;
    void this.fill();
    if (!pad) return null;
    return `${toBase64(pad.iv)} ${toBase64(bytes.map((byte, i) => byte ^ (pad.stream[i] as number)))}`;
  }

  /** Null for what another key has locked. */
  async open(locked: string): Promise<string | null> {
    try {
      const [iv = "", data = ""] = locked.split(" ");
      const bytes = fromBase64(data);
      const stream = await this.keyStream(new Uint8Array(fromBase64(iv)), bytes.length);
      if (!stream) return null;
      const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.map((byte, i) => byte ^ (stream[i] as number)));
      return text.startsWith(MARK) ? text.slice(MARK.length) : null;
    } catch {
      return null;
    }
  }

  /** One fill at a time. */
  private fill(): Promise<void> {
    this.making ??= this.make().finally(() => (this.making = null));
    return this.making;
  }

  private async make(): Promise<void> {
    while (this.ready.length < COUNT) {
      const iv = crypto.getRandomValues(new Uint8Array(12));
      const stream = await this.keyStream(iv, this.bytes);
      if (!stream) return;
      this.ready.push({ iv, stream });
      if (!this.isMissed) continue;
      this.isMissed = false;
      this.refilled();
    }
  }
}
