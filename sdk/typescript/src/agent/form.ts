// Forms: from fields or a JSON Schema of flat fields; the values of an answer, checked against them.
import { HiloopError } from "../errors.js";
import type { ComponentNode } from "../types.js";

export type FieldType = "text" | "textarea" | "number" | "select" | "multiselect" | "checkbox" | "date" | "datetime" | "email" | "url";

export interface FormField {
  name: string;
  label?: string | undefined;
  /** `text` unless given. */
  type?: FieldType | undefined;
  required?: boolean | undefined;
  options?: readonly { value: string; label: string }[] | undefined;
  value?: unknown;
  /** Of numbers. */
  min?: number | undefined;
  max?: number | undefined;
  integer?: boolean | undefined;
  /** Of texts. */
  minLength?: number | undefined;
  maxLength?: number | undefined;
  help?: string | undefined;
}

/** A JSON Schema whose properties are texts, numbers, booleans, enumerations and lists of enumerated values. */
export interface FormSchema {
  properties: Record<string, Record<string, unknown>>;
  required?: readonly string[] | undefined;
  [keyword: string]: unknown;
}

export type FormInput = readonly FormField[] | { fields: readonly FormField[]; submitLabel?: string } | FormSchema;

/** A value of a form that does not fit its field. */
export class InvalidAnswer extends HiloopError {
  override readonly name = "InvalidAnswer";
  constructor(
    readonly field: string,
    problem: string,
  ) {
    super(0, "INVALID_ANSWER", `The answer does not fit the form: '${field}' ${problem}`, { details: { field } });
  }
}

export function formNode(form: FormInput): ComponentNode {
  const { fields, ...data } = isSchema(form) ? { fields: fieldsOf(form) } : "fields" in form ? form : { fields: form };
  for (const { name, type = "text" } of fields) {
    if (typeof name !== "string" || !(type in CHECKS))
      throw badForm(`A field needs a name and a known type (got '${name}', '${type}')`);
  }
  return {
    type: "form",
    data: { ...data, fields: fields.map((field) => ({ ...field, label: field.label ?? field.name, type: field.type ?? "text" })) },
  };
}

function isSchema(form: FormInput): form is FormSchema {
  return "properties" in form;
}

const FORMATS: Record<string, FieldType> = { date: "date", "date-time": "datetime", email: "email", uri: "url" };
const RENAMED: Record<string, string> = {
  minimum: "min",
  maximum: "max",
  minLength: "minLength",
  maxLength: "maxLength",
  description: "help",
  default: "value",
};

function fieldsOf({ properties, required = [] }: FormSchema): FormField[] {
  return Object.entries(properties).map(([name, schema]) => {
    const items = (schema.type === "array" ? schema.items : schema) as { enum?: unknown[] } | undefined;
    const renamed = Object.entries(RENAMED).filter(([theirs]) => schema[theirs] !== undefined);
    return {
      name,
      label: typeof schema.title === "string" ? schema.title : name,
      type: typeOf(name, schema),
      ...(required.includes(name) ? { required: true } : {}),
      ...(items?.enum ? { options: items.enum.map((value) => ({ value: String(value), label: String(value) })) } : {}),
      ...(schema.type === "integer" ? { integer: true } : {}),
      ...Object.fromEntries(renamed.map(([theirs, ours]) => [ours, schema[theirs]])),
    };
  });
}

function typeOf(name: string, schema: Record<string, unknown>): FieldType {
  const { type, format, maxLength } = schema;
  if (type === "array" && (schema.items as { enum?: unknown } | undefined)?.enum) return "multiselect";
  if (schema.enum) return "select";
  if (type === "number" || type === "integer") return "number";
  if (type === "boolean") return "checkbox";
  if (type === "string") return FORMATS[String(format)] ?? (Number(maxLength) > 200 ? "textarea" : "text");
  throw badForm(`A form has flat fields; '${name}' is none`);
}

/** The form among the components of a question. */
export function formIn(node: ComponentNode | null): readonly FormField[] | null {
  if (!node) return null;
  const fields = (node.data as { fields?: unknown } | null)?.fields;
  if (node.type === "form" && Array.isArray(fields)) return fields as FormField[];
  for (const child of node.children ?? []) {
    const found = formIn(child);
    if (found) return found;
  }
  return null;
}

/** The values by the types of their fields, without those of other names; throws `InvalidAnswer`. */
export function checkedValues(fields: readonly FormField[], values: Record<string, unknown>): Record<string, unknown> {
  const checked: Record<string, unknown> = {};
  for (const field of fields) {
    const value = values[field.name];
    const isEmpty = value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
    if (isEmpty && field.required) throw new InvalidAnswer(field.name, "is required");
    if (!isEmpty) checked[field.name] = CHECKS[field.type ?? "text"]?.(field, value);
    else if (Array.isArray(value)) checked[field.name] = [];
  }
  return checked;
}

type Check = (field: FormField, value: unknown) => unknown;

const text: Check = ({ name, minLength = 0, maxLength = Infinity }, value) => {
  if (typeof value !== "string") throw new InvalidAnswer(name, "is no text");
  const { length } = [...value];
  if (length < minLength) throw new InvalidAnswer(name, `is shorter than ${minLength} characters`);
  if (length > maxLength) throw new InvalidAnswer(name, `is longer than ${maxLength} characters`);
  return value;
};

const INTEGER = /^-?[0-9]+$/;
const NUMBER = /^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

const number: Check = ({ name, integer, min = -Infinity, max = Infinity }, given) => {
  const isNumber = typeof given === "string" && (integer ? INTEGER : NUMBER).test(given);
  const value = isNumber ? Number(given) : given;
  if (typeof value !== "number" || !Number.isFinite(value)) throw new InvalidAnswer(name, "is no number");
  if (integer && !Number.isInteger(value)) throw new InvalidAnswer(name, "is no whole number");
  if (value < min) throw new InvalidAnswer(name, `is less than ${min}`);
  if (value > max) throw new InvalidAnswer(name, `is more than ${max}`);
  return value;
};

const checkbox: Check = ({ name, required }, value) => {
  if (typeof value !== "boolean") throw new InvalidAnswer(name, "is neither true nor false");
  if (required && !value) throw new InvalidAnswer(name, "must be checked");
  return value;
};

const select: Check = ({ name, options = [] }, value) => {
  if (typeof value !== "string" || !options.some((option) => String(option.value) === value))
    throw new InvalidAnswer(name, "is none of the options");
  return value;
};

const multiselect: Check = (field, value) => {
  if (!Array.isArray(value)) throw new InvalidAnswer(field.name, "is no list");
  return value.map((one) => select(field, one));
};

const matching =
  (problem: string, matches: (text: string) => boolean): Check =>
  (field, value) => {
    const checked = text(field, value) as string;
    if (!matches(checked)) throw new InvalidAnswer(field.name, problem);
    return checked;
  };

const CHECKS: Record<FieldType, Check> = {
  text,
  textarea: text,
  number,
  select,
  multiselect,
  checkbox,
  date: matching("is no date", (value) => isDate(value)),
  datetime: matching("is no time", (value) => /^\d{4}-\d{2}-\d{2}T/.test(value) && !Number.isNaN(Date.parse(value))),
  email: matching("is no e-mail address", (value) => /^[^@\s]+@[^@\s]+$/.test(value)),
  url: matching("is no URL", (value) => /^https?:\/\//.test(value) && URL.canParse(value)),
};

function isDate(value: string): boolean {
  const time = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value) ? Date.parse(value) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value);
}

function badForm(problem: string): HiloopError {
  return new HiloopError(0, "VALIDATION_ERROR", problem);
}
