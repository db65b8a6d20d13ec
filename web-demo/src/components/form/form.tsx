// `form{fields,submitLabel?}`: filled in and sent as typed values; frozen with the answer once there is one.
import type { TargetedSubmitEvent, VNode } from "preact";
import { useContext, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { AnsweringContext, type ComponentView } from "../types";
import { text } from "../values";
import { Unknown } from "../unknown";
import { Decline } from "./decline";
import { type DraftPlace, drafts } from "./drafts";
import { check, type Entries, type Entry, keptEntries, presetsOf } from "./entries";
import { FieldRow } from "./field-row";
import { type Field, fieldsOf } from "./fields";
import { SettledForm } from "./settled-form";

export const Form: ComponentView = ({ node, data }) => {
  const fields = useMemo(() => fieldsOf(data), [data]);
  const { settled, draft } = useContext(AnsweringContext);
  if (fields.length === 0) return <Unknown label="form" value={node.data ?? null} />;
  // A message may hold several forms.
  const place: DraftPlace = { ...draft, key: `${draft.key}.${node.id ?? fields.map(({ name }) => name).join(",")}` };
  if (settled) return <SettledForm fields={fields} place={place} />;
  return <OpenForm fields={fields} place={place} submitLabel={text(data.submitLabel) || "Send answer"} />;
};

interface Props {
  fields: readonly Field[];
  place: DraftPlace;
  submitLabel: string;
}

function OpenForm({ fields, place, submitLabel }: Props): VNode {
  const { enabled, busy, failed, settles, answer } = useContext(AnsweringContext);
  const [entries, setEntries] = useState<Entries>(() => keptEntries(fields, drafts.load(place)));
  const [isKept, setKept] = useState(() => drafts.load(place) !== null);
  // Nothing is called wrong before one has tried to send it.
  const [tried, setTried] = useState(false);
  const [declining, setDeclining] = useState(false);
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  // A browser that fills in several fields at once does not wait for this view in between.
  const latest = useRef(entries);
  const setLatest = (next: Entries): void => {
    latest.current = next;
    setEntries(next);
  };
  const problems = useMemo(() => (tried ? check(fields, entries).problems : new Map<string, string>()), [fields, entries, tried]);

  const enter = (name: string, entry: Entry): void => {
    if (latest.current.get(name) === entry) return;
    const next = new Map(latest.current).set(name, entry);
    setLatest(next);
    setKept(true);
    drafts.save(place, next);
  };
  const submit = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    if (!enabled || busy) return;
    setTried(true);
    const { values, problems: found } = check(fields, latest.current);
    const wrong = fields.findIndex(({ name }) => found.has(name));
    if (wrong < 0) answer({ values, outcome: "Answered" });
    else form.current?.querySelector<HTMLElement>(`[id="${id}-${wrong}"]`)?.focus();
  };

  // One that may be sent any number of times starts afresh.
  const wasBusy = useRef(false);
  useEffect(() => {
    const isSent = wasBusy.current && !busy && !failed;
    wasBusy.current = busy;
    if (!isSent || settles) return;
    drafts.drop(place);
    setLatest(presetsOf(fields));
    setKept(false);
    setTried(false);
  }, [busy]);

  // Back from the refusal: the focus returns to the button that leads there.
  const decline = useRef<HTMLButtonElement>(null);
  const wasDeclining = useRef(false);
  useLayoutEffect(() => {
    if (wasDeclining.current && !declining) decline.current?.focus();
    wasDeclining.current = declining;
  }, [declining]);

  return (
    <form class="form" ref={form} noValidate aria-busy={busy} data-testid="form" onSubmit={submit}>
      <fieldset class="form-fields" disabled={!enabled && !busy}>
        {fields.map((field, i) => (
          <FieldRow
            key={field.name}
            field={field}
            id={`${id}-${i}`}
            entry={entries.get(field.name) ?? ""}
            problem={problems.get(field.name)}
            onEntry={(entry) => enter(field.name, entry)}
          />
        ))}
      </fieldset>
      {enabled && declining && !busy && <Decline onBack={() => setDeclining(false)} />}
      {enabled && (!declining || busy) && (
        <div class="form-foot">
          <button type="submit" class="button primary" data-testid="submit-form" aria-disabled={busy}>
            <span dir="auto">{submitLabel}</span>
          </button>
          {settles && (
            <button
              type="button"
              class="button quiet"
              ref={decline}
              data-testid="decline-form"
              aria-disabled={busy}
              aria-haspopup={busy ? undefined : "dialog"}
              onClick={() => !busy && setDeclining(true)}
            >
              Decline…
            </button>
          )}
          <p class="form-note" role="status">
            {problems.size > 0 && <span class="field-problem">{problems.size === 1 ? "One entry needs a change." : `${problems.size} entries need a change.`}</span>}
          </p>
        </div>
      )}
      {enabled && isKept && !busy && (
        <p class="form-note" data-testid="form-kept" data-keep={place.keep}>
          {place.keep === "tab"
            ? "Not sent yet. Because this conversation is encrypted, your entries are kept in this tab only and are gone when you close it."
            : "Not sent yet. Your entries are kept in this browser until you send them."}
        </p>
      )}
    </form>
  );
}
