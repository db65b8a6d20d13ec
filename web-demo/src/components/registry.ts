// Which view draws which type of component. A new one is a file beside this and a line here.
import { Alert } from "./alert";
import { Approval } from "./approval";
import { ButtonGroup } from "./button-group";
import { Code, FileContent } from "./code";
import { Group } from "./group";
import { KeyValues } from "./kv";
import { lazyView } from "./lazy";
import { Progress } from "./progress";
import { Text } from "./text";
import { Thinking } from "./thinking";
import type { ComponentView } from "./types";

export const registry: ReadonlyMap<string, ComponentView> = new Map([
  ["text", Text],
  ["thinking", Thinking],
  ["group", Group],
  ["kv", KeyValues],
  ["button_group", ButtonGroup],
  ["approval", Approval],
  ["form", lazyView(async () => (await import("./form/form")).Form)],
  ["progress", Progress],
  ["metric_grid", lazyView(async () => (await import("./metric-grid")).MetricGrid)],
  ["table", lazyView(async () => (await import("./table")).Table)],
  ["chart", lazyView(async () => (await import("./chart/chart")).Chart)],
  ["alert", Alert],
  ["code", Code],
  ["file_content", FileContent],
  ["diff", lazyView(async () => (await import("./diff/diff")).Diff)],
  ["execution", lazyView(async () => (await import("./execution")).Execution)],
  ["file_tree", lazyView(async () => (await import("./file-tree")).FileTree)],
]);
