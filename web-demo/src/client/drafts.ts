// What a person is writing, by conversation, with what it is for: kept over switching and reloading.
import { Emitter, type Message, openedOf } from "@hiloop/sdk/chat";

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

const EMPTY: Draft = { text: "", target: null };

export class Drafts extends Emitter {
  private readonly drafts = new Map<string, Draft>();
  /** Written here: what the store holds of it is older. */
  private readonly touched = new Set<string>();
  private readonly saving = new Set<string>();
  private store: DraftStore | null = null;

  async start(store: DraftStore): Promise<void> {
    this.store = store;
    for (const [name, value] of await store.drafts()) {
      const draft = draftOf(value);
      if (draft && !this.touched.has(name)) this.drafts.set(name, draft);
    }
    for (const name of this.touched) void this.save(name);
    this.changed();
  }

  get(name: string): Draft {
    return this.drafts.get(name) ?? EMPTY;
  }

  set(name: string, draft: Draft): void {
    const isEmpty = draft.text === "" && draft.target === null;
    if (isEmpty) this.drafts.delete(name);
    else this.drafts.set(name, draft);
    this.touched.add(name);
    void this.save(name);
    this.changed();
  }

  /** Nothing more is kept. */
  forget(): void {
    this.store = null;
    this.drafts.clear();
  }

  /** One write of a draft at a time; what was typed meanwhile follows. */
  private async save(name: string): Promise<void> {
    if (this.saving.has(name)) return;
    this.saving.add(name);
    try {
      for (let saved: Draft | undefined | null = null; this.store && saved !== this.drafts.get(name); ) {
        saved = this.drafts.get(name);
        await this.store.putDraft(name, saved ?? null);
      }
    } catch {
      // The store is full or gone: the draft lives as long as the page.
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
