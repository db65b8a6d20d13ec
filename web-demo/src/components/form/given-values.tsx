// The values of an answered form by the labels of its fields; those that no field names are shown by their own name.
import type { VNode } from "preact";
import { text } from "../values";
import type { Field } from "./fields";

interface Props {
  fields: readonly Field[];
  values: Record<string, unknown>;
}

export function GivenValues({ fields, values }: Props): VNode {
  const names = new Set(fields.map(({ name }) => name));
  const others = Object.keys(values).filter((name) => !names.has(name));
  return (
    <dl class="kv given" data-testid="given-values">
      {fields.map((field) => (
        <div>
          <dt dir="auto">{field.label}</dt>
          <dd dir="auto" data-name={field.name}>
            {Object.hasOwn(values, field.name) ? wordsOf(field, values[field.name]) : <Nothing />}
          </dd>
        </div>
      ))}
      {others.map((name) => (
        <div>
          <dt dir="auto">{name}</dt>
          <dd dir="auto" data-name={name}>
            {text(values[name])}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Nothing(): VNode {
  return (
    <span class="nothing-given">
      <span aria-hidden="true">–</span>
      <span class="visually-hidden">left empty</span>
    </span>
  );
}

/** A value as a person reads it: labels of options, yes or no, the local time. */
export function wordsOf({ type, options }: Field, value: unknown): string {
  const labelOf = (one: unknown): string => options.find((option) => option.value === one)?.label ?? text(one);
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (Array.isArray(value)) return value.length === 0 ? "None" : value.map(labelOf).join(", ");
  if (type === "select") return labelOf(value);
  if (type === "datetime" && typeof value === "string" && !Number.isNaN(Date.parse(value)))
    return new Date(value).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return text(value);
}
