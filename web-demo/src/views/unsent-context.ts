// Gives the rows of a conversation what is unsent, without passing it through each view.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Unsent } from "../client/unsent";

const Context = createContext<Unsent | null>(null);

export const UnsentProvider = Context.Provider;

export function useUnsent(): Unsent {
  const unsent = useContext(Context);
  if (!unsent) throw new Error("Outside of a conversation");
  return unsent;
}
