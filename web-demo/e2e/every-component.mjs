// A message with every component, a form with every type of field, and hostile text for each of their fields.

const DIFF = `--- a/src/limits.rs
+++ b/src/limits.rs
@@ -10,4 +10,5 @@ pub fn limit() {
 let a = 1;
-let burst = 100;
+let burst = 200;
+let window = 60;
 done(a, burst)
`;

export const FIELDS = [
  { name: "name", label: "Release name", type: "text", required: true, minLength: 3, maxLength: 20, help: "As it appears in the notes." },
  { name: "notes", label: "Notes", type: "textarea" },
  { name: "replicas", label: "Replicas", type: "number", required: true, min: 1, max: 9, integer: true },
  { name: "region", label: "Region", type: "select", required: true, options: [{ value: "eu", label: "Europe" }, { value: "us", label: "America" }] },
  { name: "checks", label: "Checks to run", type: "multiselect", options: [{ value: "unit", label: "Unit tests" }, { value: "load", label: "Load test" }, { value: "smoke", label: "Smoke test" }] },
  { name: "backup", label: "There is a backup", type: "checkbox", required: true },
  { name: "day", label: "Day", type: "date" },
  { name: "start", label: "Start", type: "datetime" },
  { name: "contact", label: "Contact", type: "email" },
  { name: "runbook", label: "Runbook", type: "url" },
];

export const form = { type: "form", data: { fields: FIELDS, submitLabel: "Start the release" } };

/** All that is shown; what asks for an answer is a message of its own. */
export const shown = {
  type: "group",
  data: { title: "Release 4.2" },
  children: [
    { type: "text", data: { content: "All **checks** are done." } },
    { type: "thinking", data: { content: "First the tests, then the load." } },
    { type: "alert", data: { level: "warning", content: "Two tests were retried." } },
    { type: "kv", data: { entries: [{ key: "Commit", value: "9f31c02" }, { key: "Region", value: "eu-north" }] } },
    { type: "progress", data: { value: 42, max: 60, label: "Integration tests" } },
    { type: "metric_grid", data: { metrics: [{ label: "Requests", value: 48210, change: "+12 %" }, { label: "Errors", value: 3, change: "-2" }, { label: "p99", value: "210 ms" }] } },
    { type: "table", data: { headers: ["Service", "Time", "Failed"], rows: [["search", 12.4, 0], ["export", 8.1, 2]] } },
    { type: "chart", data: { type: "bar", labels: ["Mon", "Tue", "Wed", "Thu"], series: [{ name: "Passed", values: [52, 58, 49, 60] }, { name: "Failed", values: [4, 1, 7, 0] }] } },
    { type: "chart", data: { type: "line", labels: ["10:00", "10:05", "10:10", "10:15", "10:20"], values: [210, 230, 190, 205, 260] } },
    { type: "code", data: { language: "ts", content: "const limit: number = 200; // per second\nreturn `ok ${limit}`;" } },
    { type: "file_content", data: { path: "src/limits.rs", startLine: 10, content: "fn limit() -> u32 {\n    200\n}" } },
    { type: "diff", data: { path: "src/limits.rs", content: DIFF } },
    { type: "execution", data: { command: "make test", output: "\u001b[32m60 passed\u001b[0m\n", status: "succeeded", exitCode: 0, durationMs: 64_200 } },
    { type: "file_tree", data: { entries: [{ path: "src/limits.rs", change: "modified" }, { path: "src/http/window.rs", change: "added" }, { path: "README.md" }, { path: "docs/old.md", change: "deleted" }] } },
    { type: "hologram", data: { shape: "cube", edges: 12 } },
  ],
};

const MARKUP = `<img src=x onerror="window.hit=1"><script>window.hit=1</script>"'></textarea><svg onload="window.hit=1">`;
const LINK = "[click](javascript:window.hit=1) javascript:window.hit=1 ";

/** Every component with hostile text in every field that holds text. */
export function hostile(mark = MARKUP) {
  const x = `${LINK}${mark}`;
  const text = (label) => `${label} ${x}`;
  return {
    type: "group",
    data: { title: text("title") },
    children: [
      { type: "text", data: { content: text("content") } },
      { type: "thinking", data: { content: text("content") } },
      { type: "alert", data: { level: x, content: text("content") } },
      { type: "kv", data: { entries: [{ key: text("key"), value: text("value") }] } },
      { type: "progress", data: { value: x, max: x, label: text("label") } },
      { type: "metric_grid", data: { metrics: [{ label: text("label"), value: text("value"), change: text("change") }] } },
      { type: "table", data: { headers: [text("header")], rows: [[text("cell")], x] } },
      { type: "chart", data: { type: "bar", title: text("title"), labels: [text("label")], values: [1, x] } },
      { type: "chart", data: { type: "line", labels: [x, x], series: [{ name: text("series"), values: [1, 2] }, { name: x, values: [x] }] } },
      { type: "code", data: { language: "html", content: text("code") } },
      { type: "code", data: { language: x, content: text("code") } },
      { type: "file_content", data: { path: text("path"), language: "js", startLine: x, content: text("file") } },
      { type: "diff", data: { path: text("path"), content: `--- a/${x}\n+++ b/${x}\n@@ -1 +1 @@ ${x}\n-${x}\n+${x}` } },
      { type: "execution", data: { command: text("command"), output: text("output"), status: x, exitCode: x, durationMs: x } },
      { type: "file_tree", data: { entries: [{ path: `${x}/${x}`, change: x }] } },
      { type: "approval", data: { title: text("title"), description: text("description"), approveLabel: text("approve"), rejectLabel: text("reject") } },
      { type: "button_group", data: { buttons: [{ label: text("label"), action: x, variant: x, confirm: text("confirm") }] } },
      { type: "form", data: { submitLabel: text("submit"), fields: hostileFields(x) } },
      { type: x, data: { [x]: x } },
    ],
  };
}

function hostileFields(x) {
  return FIELDS.map(({ type }) => ({
    name: `${type} ${x}`,
    label: `label ${x}`,
    type,
    help: `help ${x}`,
    value: x,
    options: [{ value: x, label: `option ${x}` }],
    min: x,
    max: x,
    minLength: x,
    maxLength: x,
  }));
}
