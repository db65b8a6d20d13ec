// Which view draws which type of component. A new one is a file beside this and a line here.
import { Alert } from "./alert";
import { Approval } from "./approval";
import { ButtonGroup } from "./button-group";
import { Code } from "./code";
import { Group } from "./group";
import { KeyValues } from "./kv";
import { Progress } from "./progress";
import { Text } from "./text";
import type { ComponentView } from "./types";

export const registry: ReadonlyMap<string, ComponentView> = new Map([
  ["text", Text],
  ["kv", KeyValues],
  ["button_group", ButtonGroup],
  ["approval", Approval],
  ["progress", Progress],
  ["alert", Alert],
  ["code", Code],
  ["group", Group],
]);
