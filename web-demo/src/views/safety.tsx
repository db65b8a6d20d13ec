// The safety number with one participant; its script loads when it is compared.
import type { VNode } from "preact";
import { Loaded } from "./loaded";
import type { SafetyProps } from "./safety-number";

const load = async () => (await import("./safety-number")).SafetyNumberDialog;

export function SafetyDialog(props: SafetyProps): VNode {
  return <Loaded<SafetyProps> load={load} {...props} />;
}
