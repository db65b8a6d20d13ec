// The control of one field, by its type: the browser's own, so that a keyboard, a phone and a screen reader know them.
import type { TargetedEvent, VNode } from "preact";
import { type Entry, UNREADABLE } from "./entries";
import type { Field } from "./fields";

export interface ControlProps {
  field: Field;
  id: string;
  entry: Entry;
  /** The ids of its help and of what is wrong with it. */
  describedBy: string | undefined;
  isWrong: boolean;
  onEntry: (entry: Entry) => void;
}

export function Control(props: ControlProps): VNode {
  switch (props.field.type) {
    case "textarea":
      return <Area {...props} />;
    case "select":
      return <Select {...props} />;
    case "multiselect":
      return <Boxes {...props} />;
    case "checkbox":
      return <Box {...props} />;
    default:
      return <Line {...props} />;
  }
}

function common({ field, id, describedBy, isWrong }: ControlProps) {
  return {
    id,
    name: field.name,
    "aria-describedby": describedBy,
    "aria-invalid": isWrong,
    "aria-required": field.required,
  } as const;
}

const INPUT_TYPES: Readonly<Record<string, string>> = { number: "number", date: "date", datetime: "datetime-local", email: "email", url: "url" };
const HINTS: Readonly<Record<string, "decimal" | "email" | "url">> = { number: "decimal", email: "email", url: "url" };

function Line(props: ControlProps): VNode {
  const { field, entry, onEntry } = props;
  const read = ({ currentTarget: input }: TargetedEvent<HTMLInputElement>): void => {
    onEntry(input.validity?.badInput ? UNREADABLE : input.value);
  };
  const limits =
    field.type === "number"
      ? { min: field.min ?? undefined, max: field.max ?? undefined, step: field.integer ? 1 : "any" }
      : { min: field.from || undefined, max: field.until || undefined };
  // What the control can't read stays as it is shown, so it is not set from here again.
  const shown = entry === UNREADABLE ? "" : String(entry);
  const value = field.type in INPUT_TYPES && field.type !== "email" && field.type !== "url" ? { defaultValue: shown } : { value: shown };
  return (
    <input
      {...common(props)}
      {...limits}
      {...value}
      // One of several, which the types of elements want told apart.
      type={(INPUT_TYPES[field.type] ?? "text") as "text"}
      inputMode={HINTS[field.type]}
      autocomplete={field.type === "email" ? "email" : "off"}
      dir="auto"
      onInput={read}
      onBlur={read}
    />
  );
}

function Area(props: ControlProps): VNode {
  return <textarea {...common(props)} rows={4} dir="auto" value={String(props.entry)} onInput={({ currentTarget }) => props.onEntry(currentTarget.value)} />;
}

function Select(props: ControlProps): VNode {
  const { field, entry, onEntry } = props;
  return (
    <select {...common(props)} value={String(entry)} onChange={({ currentTarget }) => onEntry(currentTarget.value)}>
      <option value="">{field.required ? "Choose one" : "None"}</option>
      {field.options.map(({ value, label }) => (
        <option value={value} selected={value === entry}>
          {label}
        </option>
      ))}
    </select>
  );
}

function Box(props: ControlProps): VNode {
  return <input {...common(props)} type="checkbox" checked={props.entry === true} onChange={({ currentTarget }) => props.onEntry(currentTarget.checked)} />;
}

/** One box for each option; the field set around them carries the label and what is wrong. */
function Boxes({ field, id, entry, describedBy, onEntry }: ControlProps): VNode {
  const chosen = Array.isArray(entry) ? (entry as readonly string[]) : [];
  const toggle = (option: string, on: boolean): void => {
    onEntry(field.options.map(({ value }) => value).filter((value) => (value === option ? on : chosen.includes(value))));
  };
  return (
    <div class="boxes">
      {field.options.map(({ value, label }, i) => (
        <label class="box">
          <input
            id={i === 0 ? id : undefined}
            type="checkbox"
            name={field.name}
            value={value}
            checked={chosen.includes(value)}
            aria-describedby={i === 0 ? describedBy : undefined}
            onChange={({ currentTarget }) => toggle(value, currentTarget.checked)}
          />
          <span dir="auto">{label}</span>
        </label>
      ))}
    </div>
  );
}
