// A store that notifies its listeners of changes, at most once a frame.

export type Listener = () => void;

export class Emitter {
  private listeners = new Set<Listener>();
  private timer: ReturnType<typeof setTimeout> | null = null;
  /** Grows with every change, so that a view can tell whether it is out of date. */
  version = 0;

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Marks a change; a burst of changes (a replay of events) reaches the listeners once. */
  protected changed(): void {
    this.version += 1;
    if (this.timer !== null || this.listeners.size === 0) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      for (const listener of [...this.listeners]) listener();
    }, 12);
  }
}
