// What a person is writing, by conversation, with what it is for: kept over switching and reloading.
import { Emitter, type Message, openedOf } from "@hiloop/sdk/chat";
import type { DraftCopies } from "./draft-copies";

/** `answer` and `ask-back` are about one question, a `message` about none. */
export type Target = QuestionTarget | { kind: "message" };

export interface QuestionTarget {
  kind: "answer" | "ask-back";
  messageId: string;
  title: string;
  /** Of the envelope of the question as it was shown; null where it was not encrypted. */
  digest: string | null;
}

export interface Draft {
  text: string;
  /** Null until the person has chosen, or has begun to write. */
  target: Target | null;
}

export interface DraftStore {
  drafts(): Promise<Map<string, unknown>>;
  /** Null deletes it. */
  putDraft(name: string, draft: unknown): Promise<void>;
}

/** What was changed last, before the store has it. */
export type Copies = Pick<DraftCopies, "put" | "drop" | "read" | "clear">;

const EMPTY: Draft = { text: "", target: null };

export class Drafts extends Emitter {
  private readonly drafts = new Map<string, Draft>();
  /** Written here, and when: what the store holds of it is older. */
  private readonly touched = new Map<string, number>();
  private readonly saving = new Set<string>();
  private store: DraftStore | null = null;
  private copies: Copies | null = null;
  private last = 0;

  async start(store: DraftStore, copies: Copies | null = null): Promise<void> {
    this.store = store;
    this.copies = copies;
    const [kept, left] = await Promise.all([store.drafts(), copies?.read()]);
    for (const [name, value] of kept) {
      const draft = draftOf(value);
      if (draft && !this.touched.has(name)) this.drafts.set(name, draft);
    }
    for (const [name, { at, draft }] of left ?? []) {
      if (this.touched.has(name)) continue;
      // Another tab has written it since, or the store has it already.
      if (at <= timeOf(kept.get(name))) copies?.drop(name);
      else this.put(name, draftOf(draft) ?? EMPTY, at);
    }
    for (const [name, at] of this.touched) {
      this.copy(name, at);
      void this.save(name);
    }
    this.changed();
  }

  get(name: string): Draft {
    return this.drafts.get(name) ?? EMPTY;
  }

  set(name: string, draft: Draft): void {
    // By the clock, for other tabs; later than the change before, also on a clock that was set back.
    this.last = Math.max(Date.now(), this.last + 1);
    this.put(name, draft, this.last);
    this.copy(name, this.last);
    void this.save(name);
    this.changed();
  }

  /** Nothing more is kept. */
  forget(): void {
    this.copies?.clear();
    this.store = this.copies = null;
    this.drafts.clear();
  }

  private put(name: string, draft: Draft, at: number): void {
    if (draft.text === "" && draft.target === null) this.drafts.delete(name);
    else this.drafts.set(name, draft);
    this.touched.set(name, at);
  }

  /** In the task of the key press. */
  private copy(name: string, at: number): void {
    this.copies?.put(name, { at, draft: this.drafts.get(name) ?? null });
  }

  /** One write of a draft at a time; what was typed meanwhile follows. */
  private async save(name: string): Promise<void> {
    if (this.saving.has(name)) return;
    this.saving.add(name);
    try {
      for (let saved: number | null = null; this.store && saved !== this.touched.get(name); ) {
        const draft = this.drafts.get(name);
        saved = this.touched.get(name) ?? 0;
        await this.store.putDraft(name, draft ? { ...draft, at: saved } : null);
        if (saved === this.touched.get(name)) this.copies?.drop(name);
      }
    } catch {
      // The store is full or gone: the draft lives as long as the tab.
    }
    this.saving.delete(name);
  }
}

/** The name of the reason that is being written beside the buttons of a question. */
export function reasonName(message: Message): string {
  return `reason ${shownKey(message)}`;
}

/** Names a question as it was shown: what is written for it is for no other one under its id. */
export function shownKey(message: Message): string {
  const digest = openedOf(message)?.digest;
  return digest ? `${message.id} ${digest}` : message.id;
}

function draftOf(value: unknown): Draft | null {
  const { text, target } = (value ?? {}) as Partial<Draft>;
  if (typeof text !== "string") return null;
  // An earlier version of the page has kept no digest.
  return { text, target: target && target.kind !== "message" ? { ...target, digest: target.digest ?? null } : (target ?? null) };
}

/** Earlier versions of the page have kept none. */
function timeOf(value: unknown): number {
  const { at } = (value ?? {}) as { at?: unknown };
  return typeof at === "number" ? at : 0;
}
