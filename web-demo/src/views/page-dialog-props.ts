// What a dialog of the page is given.
import type { Hub } from "../client/hub";
import type { AppState } from "./app-state";

export interface PageDialogProps {
  app: AppState;
  hub: Hub;
  onClose: () => void;
}
