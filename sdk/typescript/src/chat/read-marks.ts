// How far a person has read a conversation: up to where they had before it was opened, and the marks that tell the hub.
export class ReadMarks {
  /** Up to which event the person had read when this was opened; null until it is known. */
  leftAt: number | null = null;
  private sent = 0;
  private isKnown = false;

  /** `send`: whether there is a connection for the mark. */
  constructor(private readonly send: (seq: number) => boolean) {}

  /** Whether a mark was sent: one for each later event, and none before it is known how far the person had read. */
  mark(seq: number): boolean {
    if (seq <= this.sent || !this.isKnown || !this.send(seq)) return false;
    this.sent = seq;
    return true;
  }

  /** The hub's list of participants was read: the first one says where the person had left. */
  left(seq: number | null): void {
    this.leftAt ??= seq;
  }

  /** The list of participants was read, or is out of reach. */
  known(): void {
    this.isKnown = true;
  }

  /** A mark on a connection that broke may not have arrived: the next one is sent whatever was sent before. */
  repeat(): void {
    this.sent = 0;
  }
}
