// Which numbers of a sequence were met, as ranges: few, however many numbers there are.

interface Range {
  from: number;
  to: number;
}

export class SeqRanges {
  /** In order, and apart from each other. */
  private ranges: Range[] = [];

  add(seq: number): void {
    const last = this.ranges.at(-1);
    if (last && seq === last.to + 1) last.to = seq;
    else if (!this.has(seq)) this.insert(seq);
  }

  has(seq: number): boolean {
    return this.ranges.some(({ from, to }) => seq >= from && seq <= to);
  }

  /** Whether every number of a range was met. */
  covers(from: number, to: number): boolean {
    return from > to || this.ranges.some((range) => range.from <= from && range.to >= to);
  }

  private insert(seq: number): void {
    const all = [...this.ranges, { from: seq, to: seq }].sort((a, b) => a.from - b.from);
    this.ranges = [];
    for (const range of all) {
      const last = this.ranges.at(-1);
      if (last && range.from <= last.to + 1) last.to = Math.max(last.to, range.to);
      else this.ranges.push(range);
    }
  }
}
