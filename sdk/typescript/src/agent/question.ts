// A question as `ask` takes it: its components, its deadline.
import { HiloopError } from "../errors.js";
import type { ComponentNode, Priority } from "../types.js";
import type { MessageInput } from "./content.js";
import { treeOf } from "./content.js";
import { type FormInput, formNode } from "./form.js";
import { invalid, type WaitOptions } from "./options.js";
import type { PersonInput } from "./people.js";
import type { OnRemark } from "./remarks.js";

export interface ChoiceInput {
  label: string;
  /** What the decision's `action` is; the label unless given. */
  action?: string | undefined;
  variant?: "primary" | "secondary" | "danger" | undefined;
  /** What the person is asked before the button counts. */
  confirm?: string | undefined;
}

/** `30m`, `90s`, `2h`, `1d`; a number of seconds; a point in time. */
export type Deadline = string | number | Date;

export interface AskOptions extends WaitOptions {
  /** Markdown, shown with the question. */
  text?: string | undefined;
  /** Instead of the buttons Approve and Reject. */
  components?: ComponentNode | readonly ComponentNode[] | undefined;
  /** A button for each. */
  choices?: readonly (string | ChoiceInput)[] | undefined;
  /** Fields, or a JSON Schema of flat fields; the decision's `values` are of their types. */
  form?: FormInput | undefined;
  /** Who is asked, by e-mail address or id; every human of the space, or of `session`, unless given. */
  to?: PersonInput | readonly PersonInput[] | undefined;
  /** Who of them may answer; all unless given. */
  answerers?: string | readonly string[] | undefined;
  /** When the question expires; never unless given. */
  deadline?: Deadline | undefined;
  priority?: Priority | undefined;
  /** The session to ask in; one of its own unless given. */
  session?: string | undefined;
  /**
   * Names the question. The same key asked again is the same question, also in another process and after a restart:
   * for a week in a session of its own, for as long as the session exists otherwise.
   */
  key?: string | undefined;
  /** Called with each message that people write in the session before the question is settled. */
  onRemark?: OnRemark | undefined;
  /** Of several processes that ask with the same key, one gets the decision; the others get `ALREADY_ACKNOWLEDGED`. */
  exclusive?: boolean | undefined;
}

export function questionOf(title: string, options: AskOptions): MessageInput {
  const { text, choices, form, components, priority } = options;
  const given = [choices, form, components].filter((one) => one !== undefined);
  if (given.length > 1) throw invalid("components", "excludes 'choices' and 'form'");
  return { text, components: { ...componentsOf(title, options) }, priority, responseRequired: true };
}

function componentsOf(title: string, { choices, form, components }: AskOptions): ComponentNode {
  if (choices !== undefined) return titled(title, buttonsOf(choices));
  if (form !== undefined) return titled(title, formNode(form));
  const tree = components === undefined ? null : treeOf(components);
  return tree ? titled(title, tree) : { type: "approval", data: { title } };
}

/** Below its title, unless the component shows one. */
function titled(title: string, node: ComponentNode): ComponentNode {
  const own = (node.data as { title?: unknown } | null)?.title;
  return typeof own === "string" ? node : { type: "group", data: { title }, children: [node] };
}

function buttonsOf(choices: readonly (string | ChoiceInput)[]): ComponentNode {
  if (choices.length === 0) throw invalid("choices", "must not be empty");
  const buttons = choices.map((choice) => {
    const {
      label,
      action = label,
      variant = "secondary",
      confirm,
    } = typeof choice === "string" ? ({ label: choice } as ChoiceInput) : choice;
    return { label, action, variant, ...(confirm === undefined ? {} : { confirm }) };
  });
  return { type: "button_group", data: { buttons } };
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** The point in time as the hub takes it; null where there is none. */
export function deadlineOf(deadline: Deadline | undefined, nowMs: number): string | null {
  if (deadline === undefined) return null;
  if (typeof deadline === "number") return after(deadline, nowMs);
  if (typeof deadline === "string") {
    const [, count, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(deadline) ?? [];
    if (count !== undefined && unit !== undefined) return after(Number(count) * (UNITS[unit] as number), nowMs);
  }
  const time = new Date(deadline);
  if (Number.isNaN(time.getTime())) throw invalid("deadline", `must be like '30m', seconds or a time (got '${String(deadline)}')`);
  return time.toISOString();
}

function after(seconds: number, nowMs: number): string {
  if (!(seconds > 0)) throw new HiloopError(0, "VALIDATION_ERROR", "Option 'deadline' must be in the future");
  return new Date(nowMs + seconds * 1000).toISOString();
}
