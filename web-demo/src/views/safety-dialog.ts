// The dialog that compares safety numbers, loaded when it is first opened.
import { loaded } from "./loaded";

export const SafetyDialog = loaded(async () => (await import("./safety")).SafetyDialog);
