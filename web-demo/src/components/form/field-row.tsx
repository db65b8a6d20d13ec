// One field of a form: its label, help and control, and beside it what is wrong with the entry.
import type { VNode } from "preact";
import { Control, type ControlProps } from "./control";
import type { Entry } from "./entries";
import type { Field } from "./fields";

interface Props {
  field: Field;
  id: string;
  entry: Entry;
  problem: string | undefined;
  onEntry: (entry: Entry) => void;
}

export function FieldRow({ field, id, entry, problem, onEntry }: Props): VNode {
  const help = helpOf(field);
  const [helpId, problemId] = [`${id}-help`, `${id}-problem`];
  const describedBy = [help && helpId, problem && problemId].filter(Boolean).join(" ") || undefined;
  const control: ControlProps = { field, id, entry, describedBy, isWrong: problem !== undefined, onEntry };
  const notes = (
    <>
      {help && (
        <p class="field-help" id={helpId} dir="auto">
          {help}
        </p>
      )}
      {problem && (
        <p class="field-problem" id={problemId} data-testid="field-problem">
          <span aria-hidden="true">! </span>
          {problem}
        </p>
      )}
    </>
  );
  const row = { class: `field field-${field.type} ${problem ? "wrong" : ""}`, "data-testid": "field", "data-name": field.name };
  if (field.type === "multiselect") {
    return (
      <fieldset {...row} aria-describedby={describedBy}>
        <legend>
          <Label field={field} />
        </legend>
        <Control {...control} />
        {notes}
      </fieldset>
    );
  }
  return (
    <div {...row}>
      <label class={field.type === "checkbox" ? "box" : ""} for={id}>
        {field.type === "checkbox" && <Control {...control} />}
        <Label field={field} />
      </label>
      {field.type !== "checkbox" && <Control {...control} />}
      {notes}
    </div>
  );
}

function Label({ field }: { field: Field }): VNode {
  return (
    <span>
      <span dir="auto">{field.label}</span>
      {field.required && <span class="required"> (required)</span>}
    </span>
  );
}

/** The agent's help, and what one can't see from the control. */
export function helpOf({ help, type, integer, min, max, minLength, maxLength }: Field): string {
  const zone = type === "datetime" ? `In your time zone (${Intl.DateTimeFormat().resolvedOptions().timeZone}).` : "";
  const isText = type === "text" || type === "textarea";
  const least = minLength > 1 ? `at least ${minLength.toLocaleString()}` : "";
  const most = Number.isFinite(maxLength) ? `at most ${maxLength.toLocaleString()}` : "";
  const length = isText && (least || most) ? `${[least, most].filter(Boolean).join(", ").replace(/^a/, "A")} characters.` : "";
  const range = type === "number" ? rangeOf(integer, min, max) : "";
  return [help, zone, length, range].filter(Boolean).join(" ");
}

function rangeOf(integer: boolean, min: number | null, max: number | null): string {
  const [least, most] = [min, max].map((limit) => limit?.toLocaleString(undefined, { maximumFractionDigits: 10 }));
  const what = integer ? "A whole number" : "";
  const limits = least && most ? `from ${least} to ${most}` : least ? `at least ${least}` : most ? `at most ${most}` : "";
  const words = [what, limits].filter(Boolean).join(" ");
  return words && `${words[0]?.toUpperCase()}${words.slice(1)}.`;
}
