// What a person has entered, and what of it is sent: values of the types of their fields, or the reason why one does not fit.
import { text } from "../values";
import { dateOf, type Field, localTimeOf } from "./fields";

/** What a control holds: a text, the chosen options, or whether a box is ticked. */
export type Entry = string | readonly string[] | boolean;
export type Entries = ReadonlyMap<string, Entry>;

/** Stands for what a control shows and does not give: letters in a number, half a date. */
export const UNREADABLE = "\u0000";

export function presetsOf(fields: readonly Field[]): Entries {
  return new Map(fields.map((field) => [field.name, presetOf(field)]));
}

function presetOf({ type, preset, options }: Field): Entry {
  const has = (value: string): boolean => options.some((option) => option.value === value);
  switch (type) {
    case "checkbox":
      return preset === true;
    case "multiselect":
      return Array.isArray(preset) ? preset.map(text).filter(has) : [];
    case "select":
      return has(text(preset)) ? text(preset) : "";
    case "number":
      return /^-?\d/.test(text(preset)) && Number.isFinite(Number(text(preset))) ? text(preset) : "";
    case "date":
      return dateOf(text(preset));
    case "datetime":
      return localTimeOf(text(preset));
    default:
      return text(preset);
  }
}

/** What was kept of a form, over what the agent filled in. */
export function keptEntries(fields: readonly Field[], kept: Entries | null): Entries {
  const presets = presetsOf(fields);
  return new Map(
    fields.map((field) => {
      const entry = kept?.get(field.name);
      return [field.name, fits(field, entry) ? entry : (presets.get(field.name) ?? "")];
    }),
  );
}

/** Whether an entry that was kept fits its field. */
function fits({ type, options }: Field, entry: unknown): entry is Entry {
  const has = (value: unknown): boolean => options.some((option) => option.value === value);
  if (type === "checkbox") return typeof entry === "boolean";
  if (type === "multiselect") return Array.isArray(entry) && entry.every(has);
  if (type === "select") return entry === "" || has(entry);
  return typeof entry === "string";
}

export interface Checked {
  values: Record<string, unknown>;
  /** Why an entry can't be sent, by the name of its field. */
  problems: ReadonlyMap<string, string>;
}

/** All entries by the types of their fields. What was left empty is left out. */
export function check(fields: readonly Field[], entries: Entries): Checked {
  const values: [string, unknown][] = [];
  const problems = new Map<string, string>();
  for (const field of fields) {
    const result = valueOf(field, entries.get(field.name) ?? "");
    if ("problem" in result) problems.set(field.name, result.problem);
    else if (result.value !== undefined) values.push([field.name, result.value]);
  }
  return { values: Object.fromEntries(values), problems };
}

type Result = { value: unknown } | { problem: string };

function valueOf(field: Field, entry: Entry): Result {
  if (typeof entry === "boolean") return field.required && !entry ? { problem: "Tick this box to continue." } : { value: entry };
  if (typeof entry !== "string") return field.required && entry.length === 0 ? { problem: "Choose at least one." } : { value: [...entry] };
  if (entry.trim() === "") return field.required ? { problem: field.type === "select" ? "Choose one." : "This is required." } : { value: undefined };
  switch (field.type) {
    case "number":
      return numberOf(field, entry);
    case "date":
      return dateValueOf(field, entry);
    case "datetime":
      return timeOf(field, entry);
    case "select":
      return field.options.some(({ value }) => value === entry) ? { value: entry } : { problem: "Choose one of the options." };
    case "email":
      return textOf(field, entry.trim(), /^[^@\s]+@[^@\s]+$/, "Enter an e-mail address, like name@example.org.");
    case "url":
      return textOf(field, entry.trim(), /^https?:\/\/[^\s/]/, "Enter a web address that starts with https:// or http://.");
    default:
      return textOf(field, entry);
  }
}

function numberOf({ integer, min, max }: Field, entry: string): Result {
  const value = /^\s*[-+]?(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?\s*$/i.test(entry) ? Number(entry) : Number.NaN;
  if (!Number.isFinite(value)) return { problem: "Enter a number." };
  if (integer && !Number.isInteger(value)) return { problem: "Enter a whole number." };
  if (min !== null && value < min) return { problem: max === null ? `Must be ${min} or more.` : `Must be from ${min} to ${max}.` };
  if (max !== null && value > max) return { problem: min === null ? `Must be ${max} or less.` : `Must be from ${min} to ${max}.` };
  // Beyond this, whole numbers are rounded: another one than was entered would be sent.
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return { problem: "This number is too large to be sent exactly." };
  return { value };
}

function dateValueOf({ from, until }: Field, entry: string): Result {
  const time = dateOf(entry) === entry ? Date.parse(entry) : Number.NaN;
  if (Number.isNaN(time) || !new Date(time).toISOString().startsWith(entry)) return { problem: "Enter a date." };
  if (from !== "" && entry < from) return { problem: `Must be ${from} or later.` };
  if (until !== "" && entry > until) return { problem: `Must be ${until} or earlier.` };
  return { value: entry };
}

/** A point in time is sent in UTC: the agent may be in another time zone. */
function timeOf({ from, until }: Field, entry: string): Result {
  const time = new Date(entry);
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(entry) || Number.isNaN(time.getTime())) return { problem: "Enter a date and a time." };
  if (from !== "" && entry < from) return { problem: `Must be ${from.replace("T", " ")} or later.` };
  if (until !== "" && entry > until) return { problem: `Must be ${until.replace("T", " ")} or earlier.` };
  return { value: time.toISOString() };
}

function textOf({ minLength, maxLength }: Field, value: string, format = /^/, problem = ""): Result {
  const { length } = [...value];
  const now = `(now ${length.toLocaleString()})`;
  if (!format.test(value)) return { problem };
  if (length < minLength) return { problem: `Enter at least ${minLength.toLocaleString()} characters ${now}.` };
  if (length > maxLength) return { problem: `Enter at most ${maxLength.toLocaleString()} characters ${now}.` };
  if (problem.includes("web address") && !URL.canParse(value)) return { problem };
  return { value };
}
