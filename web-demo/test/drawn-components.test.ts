// @vitest-environment happy-dom
// Components as they are drawn: hostile text in every field, odd data of every type, forms and buttons in use.
import { afterEach, beforeEach, expect, test } from "vitest";
import { registry } from "../src/components/registry";
import { form, hostile, shown } from "../e2e/every-component.mjs";
import { draw, type Drawn, waitFor } from "./dom";

interface Node {
  type: string;
  data: Record<string, unknown>;
  children?: Node[];
}

const drawn: Drawn[] = [];
const show = (...parameters: Parameters<typeof draw>): Drawn => {
  const one = draw(...parameters);
  drawn.push(one);
  return one;
};
const loaded = (root: HTMLElement): Promise<unknown> => waitFor("every script", () => !root.textContent?.includes("Loading…"));

beforeEach(() => {
  localStorage.clear();
  sessionStorage.clear();
});
afterEach(() => drawn.splice(0).forEach((one) => one.remove()));

test("the list of examples has every type", () => {
  const types = new Set(["group", "form", ...(hostile() as Node).children!.map(({ type }) => type)]);
  for (const type of registry.keys()) expect([...types]).toContain(type);
});

const PAYLOADS = [
  `<img src=x onerror="window.hit=1">`,
  `"><script>window.hit=1</script>`,
  `' onfocus='window.hit=1' autofocus x='`,
  `</textarea></title><svg/onload=window.hit=1>`,
  `javascript:window.hit=1`,
  `{{constructor.constructor('window.hit=1')()}}`,
  `</pre></code><iframe srcdoc="<script>window.hit=1</script>">`,
];

const cases = PAYLOADS.flatMap((payload) => (hostile(payload) as Node).children!.map((node) => [node.type, payload, node] as const));

test.each(cases)("%s: %s stays text", async (_type, payload, node) => {
  for (const state of [{}, { settled: true, enabled: false, given: { action: payload, text: payload, values: { [payload]: payload, "text x": [payload] } } }]) {
    const { root } = show({ type: "group", data: { title: payload }, children: [node] }, state);
    await loaded(root);
    for (const button of root.querySelectorAll("button")) if (button.dataset.testid === "action-button") button.click();
    expect(root.querySelectorAll("img, script, iframe, object, embed, style, link, base, meta").length).toBe(0);
    const attributes = [...root.querySelectorAll("*")].flatMap((one) => [...one.attributes]);
    expect(attributes.filter(({ name }) => /^on|^style$|^srcdoc$|^formaction$/.test(name))).toEqual([]);
    expect(attributes.filter(({ name, value }) => /^(href|src|xlink:href|action)$/.test(name) && /^\s*javascript:/i.test(value))).toEqual([]);
    expect(root.textContent).toContain(payload);
  }
  expect("hit" in window).toBe(false);
});

const ODD = [null, undefined, 5, "text", [], {}, true, [[]], { value: {} }, Number.NaN];
const KEYS = ["content", "title", "entries", "buttons", "fields", "metrics", "headers", "rows", "values", "series", "labels", "path", "status", "value", "max", "options", "startLine"];

test.each([...registry.keys()])("%s: data of any shape breaks nothing", async (type) => {
  const data = [...ODD, ...KEYS.flatMap((key) => ODD.map((value) => ({ type: "bar", [key]: value })))];
  const { root } = show({ type: "group", data: {}, children: data.map((one) => ({ type, data: one })) });
  root.querySelector<HTMLButtonElement>("[data-testid=unfold]")?.click();
  await loaded(root);
  expect(root.querySelectorAll(`.component-${type}`).length).toBeGreaterThan(90);
});

test("a group does not repeat the title of the approval in it", () => {
  const approval = { type: "approval", data: { title: "Deploy?" } };
  const titles = (title: string, children: Node[]): string[] =>
    [...show({ type: "group", data: { title }, children }).root.querySelectorAll("h4")].map(({ textContent }) => textContent ?? "");
  expect(titles("Deploy?", [{ type: "group", data: {}, children: [approval] }])).toEqual(["Deploy?"]);
  expect(titles("Release 4.2", [approval])).toEqual(["Release 4.2", "Deploy?"]);
  expect(titles("Deploy?", [null as unknown as Node, { type: "alert", data: { content: "Deploy?" } }])).toContain("Deploy?");
});

test("what has no view is labelled JSON, folded where it is long", async () => {
  const { root } = show({ type: "hologram", data: { list: Array.from({ length: 500 }, (_, i) => i) } });
  const unknown = root.querySelector<HTMLElement>("[data-testid=unknown-component]")!;
  expect(unknown.dataset.type).toBe("hologram");
  expect(root.textContent).not.toContain("499");
  root.querySelector<HTMLButtonElement>("[data-testid=unfold]")!.click();
  await waitFor("all of it", () => root.textContent?.includes("499"));
  expect(show(5).root.textContent).toContain("5");
  expect(show({ nothing: true }).root.textContent).toContain("nothing");
});

test("every example is drawn by its view", async () => {
  const { root } = show(shown);
  await loaded(root);
  expect([...root.querySelectorAll<HTMLElement>("[data-testid=unknown-component]")].map(({ dataset }) => dataset.type)).toEqual(["hologram"]);
  expect([...root.querySelectorAll("svg[role=img]")].map((svg) => svg.getAttribute("aria-label"))).toEqual([
    "Bar chart of Passed, Failed, from Mon to Thu: lowest 0, highest 60",
    "Line chart of Value, from 10:00 to 10:20: lowest 190, highest 260",
  ]);
  expect([...root.querySelectorAll("tr.added, tr.removed")].map((line) => line.textContent)).toEqual(["−removed let burst = 100;", "+added let burst = 200;", "+added let window = 60;"]);
});

async function shownForm(state = {}): Promise<Drawn> {
  const one = show(form, state);
  await waitFor("the form", () => one.root.querySelector("form"));
  return one;
}

const control = <T extends HTMLElement = HTMLInputElement>(root: HTMLElement, name: string): T =>
  root.querySelector<T>(`[data-name=${name}] :is(input, textarea, select)`)!;

function enter(root: HTMLElement, name: string, value: string): void {
  const input = control(root, name);
  input.value = value;
  input.dispatchEvent(new Event(input.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
}

const submit = (root: HTMLElement): boolean => root.querySelector("form")!.dispatchEvent(new Event("submit", { bubbles: true, cancelable: true }));

test("each field has the control of its type, its label, and its help", async () => {
  const { root } = await shownForm();
  const kinds = ["name", "notes", "replicas", "region", "checks", "backup", "day", "start", "contact", "runbook"].map((name) => {
    const one = control(root, name);
    return one.tagName === "INPUT" ? one.getAttribute("type") : one.tagName.toLowerCase();
  });
  expect(kinds).toEqual(["text", "textarea", "number", "select", "checkbox", "checkbox", "date", "datetime-local", "email", "url"]);
  for (const one of root.querySelectorAll<HTMLElement>("[data-testid=field]")) {
    const label = one.tagName === "FIELDSET" ? one.querySelector("legend") : one.querySelector(`label[for="${control(root, one.dataset.name!).id}"]`);
    expect(label?.textContent).not.toBe("");
  }
  const described = control(root, "name").getAttribute("aria-describedby")!;
  expect(document.getElementById(described)?.textContent).toBe("As it appears in the notes. At least 3, at most 20 characters.");
  expect([control(root, "name").getAttribute("aria-required"), control(root, "name").getAttribute("aria-invalid")]).toEqual(["true", "false"]);
});

test("a wrong entry is described beside its field, and nothing is sent", async () => {
  const { root, answers } = await shownForm();
  submit(root);
  await waitFor("what is wrong", () => root.querySelector("[data-testid=field-problem]"));
  expect([...root.querySelectorAll<HTMLElement>(".field.wrong")].map(({ dataset }) => dataset.name)).toEqual(["name", "replicas", "region", "backup"]);
  expect(document.activeElement).toBe(control(root, "name"));
  expect(root.querySelector("[role=status]")?.textContent).toBe("4 entries need a change.");
  enter(root, "name", "Aurora");
  await waitFor("one less", () => root.querySelectorAll(".field.wrong").length === 3);
  expect(answers).toEqual([]);
});

test("typed values are sent once, while an answer is on its way no second time", async () => {
  const one = await shownForm();
  const { root, answers } = one;
  enter(root, "name", "Aurora");
  enter(root, "replicas", "3");
  enter(root, "region", "eu");
  for (const box of [root.querySelectorAll<HTMLInputElement>("[data-name=checks] input")[2]!, control(root, "backup")]) {
    box.checked = true;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }
  await waitFor("the entries", () => root.querySelector("[data-testid=form-kept]"));
  submit(root);
  const values = { name: "Aurora", replicas: 3, region: "eu", checks: ["smoke"], backup: true };
  expect(answers).toEqual([{ values, outcome: "Answered" }]);
  one.again({ busy: true });
  submit(root);
  expect(answers.length).toBe(1);
  one.again({ busy: false, enabled: false, settled: true, given: { values, outcome: "Answered" } });
  await waitFor("the frozen card", () => root.querySelector("[data-testid=settled-form]"));
  expect(root.querySelectorAll("input, select, textarea, [data-testid=unsent]").length).toBe(0);
  expect(root.querySelector("[data-testid=given-values] [data-name=region]")?.textContent).toBe("Europe");
  await waitFor("nothing kept", () => localStorage.length === 0);
});

test("entries outlive the view, and are not lost to another one's answer", async () => {
  const draft = { key: "kept", keep: "tab" } as const;
  const first = await shownForm({ draft });
  enter(first.root, "notes", "Half a thought");
  await waitFor("the hint", () => first.root.querySelector("[data-testid=form-kept][data-keep=tab]"));
  expect([localStorage.length, sessionStorage.length]).toEqual([0, 1]);
  first.remove();
  const again = await shownForm({ draft });
  expect(control(again.root, "notes").value).toBe("Half a thought");
  again.again({ settled: true, enabled: false, given: undefined });
  expect(again.root.querySelector("[data-testid=unsent]")).toBeNull();
  again.again({ given: { text: "Never mind" } });
  const unsent = await waitFor("the unsent entries", () => again.root.querySelector("[data-testid=unsent]"));
  expect(unsent.textContent).toContain("Half a thought");
  unsent.querySelector("button")!.click();
  await waitFor("no longer kept", () => sessionStorage.length === 0);
});

const byTest = <T extends HTMLElement = HTMLElement>(root: HTMLElement, id: string): T | null => root.querySelector<T>(`[data-testid=${id}]`);

function type(area: HTMLTextAreaElement, value: string): void {
  area.value = value;
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

test("a form is declined with a reason, which is asked for, kept meanwhile, and shown in the card", async () => {
  const one = await shownForm();
  const { root, answers } = one;
  const decline = () => byTest<HTMLButtonElement>(root, "decline-form");
  decline()!.click();
  const area = await waitFor("the reason", () => byTest<HTMLTextAreaElement>(root, "decline-reason"));
  expect([document.activeElement === area, area.closest("label")?.textContent, answers.length]).toEqual([true, "Your reason, if you want to give one", 0]);
  expect(byTest(root, "submit-form")).toBeNull();
  type(area, "Not before the audit");
  area.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  await waitFor("the button", decline);
  expect(document.activeElement).toBe(decline());
  decline()!.click();
  const again = await waitFor("the reason", () => byTest<HTMLTextAreaElement>(root, "decline-reason"));
  expect(again.value).toBe("Not before the audit");
  byTest<HTMLButtonElement>(root, "decline-send")!.click();
  expect(answers).toEqual([{ outcome: "Rejected", text: "Not before the audit" }]);
  one.again({ enabled: false, settled: true, given: answers[0]! });
  await waitFor("the frozen card", () => byTest(root, "settled-form"));
  expect([byTest(root, "declined")?.textContent, byTest(root, "given-reason")?.textContent]).toEqual(["Declined, without values:", "Not before the audit"]);
});

test("a form is declined without a reason; a second click of the first press declines nothing", async () => {
  const { root, answers } = await shownForm();
  byTest(root, "decline-form")!.click();
  const send = await waitFor("the second step", () => byTest(root, "decline-send"));
  send.dispatchEvent(new MouseEvent("click", { detail: 2, bubbles: true }));
  expect(answers).toEqual([]);
  send.click();
  expect(answers).toEqual([{ outcome: "Rejected" }]);
});

test("an approval says what it decides; a dangerous button asks first; a settled one does nothing", async () => {
  const approval = show({ type: "approval", data: { title: "Ship?", description: "**Now**", rejectLabel: "No" } });
  const button = (root: HTMLElement, action: string): HTMLButtonElement => root.querySelector(`[data-action=${action}]`)!;
  button(approval.root, "approve").click();
  button(approval.root, "reject").click();
  expect(approval.answers).toEqual([{ action: "approve", outcome: "Approved" }, { action: "reject", outcome: "Rejected" }]);
  approval.again({ enabled: false, settled: true, chosen: "reject" });
  button(approval.root, "approve").click();
  expect(approval.answers.length).toBe(2);
  expect([button(approval.root, "reject").textContent, button(approval.root, "reject").getAttribute("aria-disabled")]).toEqual(["✕No", "true"]);

  const buttons = [{ label: "Drop", action: "drop", variant: "danger" }, { label: "Ask", action: "ask", confirm: "Really?" }, { label: "Keep", action: "keep" }];
  const { root, answers } = show({ type: "button_group", data: { buttons } });
  for (const [action, question] of [["drop", "Are you sure?"], ["ask", "Really?"]] as const) {
    button(root, action).click();
    const asked = await waitFor("the question", () => root.querySelector("[data-testid=confirm]"));
    expect(asked.textContent).toContain(question);
    expect(document.activeElement?.textContent).toBe("Go back");
    (document.activeElement as HTMLElement).click();
    await waitFor("the buttons", () => !root.querySelector("[data-testid=confirm]"));
    expect(document.activeElement).toBe(button(root, action));
  }
  expect(answers).toEqual([]);
  button(root, "drop").click();
  (await waitFor("the second step", () => root.querySelector<HTMLButtonElement>("[data-testid=confirm-action]"))).click();
  await waitFor("the buttons", () => root.querySelector("[data-action=keep]"));
  button(root, "keep").click();
  expect(answers).toEqual([{ action: "drop" }, { action: "keep" }]);
});
