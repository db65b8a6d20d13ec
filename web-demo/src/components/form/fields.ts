// The fields of a form, read from whatever an agent sent.
import { list, number, text } from "../values";

export const FIELD_TYPES = ["text", "textarea", "number", "select", "multiselect", "checkbox", "date", "datetime", "email", "url"] as const;

export type FieldType = (typeof FIELD_TYPES)[number];

export interface Option {
  value: string;
  label: string;
}

export interface Field {
  name: string;
  label: string;
  type: FieldType;
  help: string;
  required: boolean;
  /** Of a number: without a fraction. */
  integer: boolean;
  options: readonly Option[];
  /** Limits of a number. */
  min: number | null;
  max: number | null;
  /** Limits of a date or a time, as the control takes them. */
  from: string;
  until: string;
  /** Limits of a text, in characters. */
  minLength: number;
  maxLength: number;
  /** What the agent filled in. */
  preset: unknown;
}

const TYPES: ReadonlySet<string> = new Set(FIELD_TYPES);

/** The fields that have a name, each name once. An unknown type is filled in as text. */
export function fieldsOf(data: Record<string, unknown>): Field[] {
  const fields = new Map<string, Field>();
  for (const given of list(data.fields)) {
    const field = fieldOf(given);
    if (field.name !== "" && !fields.has(field.name)) fields.set(field.name, field);
  }
  return [...fields.values()];
}

function fieldOf(given: Record<string, unknown>): Field {
  const type = (TYPES.has(text(given.type)) ? given.type : "text") as FieldType;
  return {
    name: text(given.name),
    label: text(given.label) || text(given.name),
    type,
    help: text(given.help),
    required: given.required === true,
    integer: given.integer === true,
    options: Array.isArray(given.options) ? given.options.map(optionOf).filter(({ value }) => value !== "") : [],
    min: number(given.min),
    max: number(given.max),
    from: limitOf(type, given.min),
    until: limitOf(type, given.max),
    minLength: number(given.minLength) ?? 0,
    maxLength: number(given.maxLength) ?? Infinity,
    preset: given.value,
  };
}

function optionOf(given: unknown): Option {
  if (typeof given !== "object" || given === null) return { value: text(given), label: text(given) };
  const { value, label } = given as Record<string, unknown>;
  return { value: text(value), label: text(label) || text(value) };
}

function limitOf(type: FieldType, limit: unknown): string {
  if (typeof limit !== "string") return "";
  if (type === "date") return dateOf(limit);
  return type === "datetime" ? localTimeOf(limit) : "";
}

/** The date of a date or a time, as the control takes it; empty for anything else. */
export function dateOf(value: string): string {
  return /^\d{4}-\d{2}-\d{2}(?=T|$)/.exec(value)?.[0] ?? "";
}

/** A point in time in the person's own time zone, as the control takes it; empty for anything else. */
export function localTimeOf(value: string): string {
  const time = /^\d{4}-\d{2}-\d{2}T/.test(value) ? new Date(value) : new Date(Number.NaN);
  if (Number.isNaN(time.getTime())) return "";
  const two = (part: number): string => String(part).padStart(2, "0");
  const date = [String(time.getFullYear()).padStart(4, "0"), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${date}T${two(time.getHours())}:${two(time.getMinutes())}`;
}
