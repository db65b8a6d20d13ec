// Which messages reply to which: looked up for each drawing of an open request, where all messages must not be read.

export class ReplyIndex {
  private readonly ids = new Map<string, Set<string>>();

  get(parent: string): readonly string[] {
    return [...(this.ids.get(parent) ?? [])];
  }

  add(parent: string | null | undefined, id: string): void {
    if (!parent) return;
    const ids = this.ids.get(parent) ?? new Set();
    this.ids.set(parent, ids.add(id));
  }

  delete(parent: string | null | undefined, id: string): void {
    const ids = parent ? this.ids.get(parent) : undefined;
    if (!parent || !ids) return;
    ids.delete(id);
    if (ids.size === 0) this.ids.delete(parent);
  }
}
