// Exponential backoff with a cap; half of each wait is random.

export class Backoff {
  private attempt = 0;

  constructor(
    private readonly firstMs = 500,
    private readonly capMs = 30_000,
    private readonly random: () => number = Math.random,
  ) {}

  next(): number {
    const full = Math.min(this.capMs, this.firstMs * 2 ** this.attempt);
    this.attempt = Math.min(this.attempt + 1, 20);
    return Math.round(full / 2 + (this.random() * full) / 2);
  }

  reset(): void {
    this.attempt = 0;
  }

  /** A random wait within the range of a `goaway` frame, in milliseconds. */
  within(range: readonly [number, number]): number {
    const [min, max] = range;
    return Math.round(min + this.random() * Math.max(0, max - min));
  }
}
