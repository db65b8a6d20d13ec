// Single keys for going through requests. They rest in fields and dialogs, and act on what is in view only.
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { type Message, preview, sessionTitle } from "@hiloop/sdk/chat";
import type { Hub } from "../client/hub";
import { step } from "./feed-steps";
import { isInSight } from "./jump";
import type { DialogName } from "./page-dialogs";
import { openRequests } from "./request-card";

/** How long the second press of a key counts as the confirmation of the first. */
const CONFIRM_MS = 6_000;

/** What the last key did or could not do, to be shown for a moment. */
export function useTriageKeys(hub: Hub, isFree: boolean, onDialog: (name: DialogName) => void): string {
  const [hint, setHint] = useState("");
  // A key may come between a drawing and the effects that follow it.
  const free = useRef(isFree);
  free.current = isFree;
  const armed: Armed = useRef<{ button: Element; until: number } | null>(null);

  useEffect(() => {
    if (hint === "") return;
    const timer = setTimeout(() => setHint(""), CONFIRM_MS);
    return () => clearTimeout(timer);
  }, [hint]);

  useLayoutEffect(() => {
    /** What a key does; null where it does nothing here. */
    const actionOf = (key: string): (() => void) | null => {
      switch (key) {
        case "j":
          return () => step(1);
        case "k":
          return () => step(-1);
        case "a":
          return () => setHint(press(hub, "approve", armed));
        case "r":
          return () => setHint(press(hub, "reject", armed));
        case "c":
          return () => document.querySelector<HTMLElement>("[data-testid=composer]")?.focus();
        case "n":
          return hub.isGuest ? null : () => onDialog("new");
        case "/":
          return hub.isGuest ? null : () => onDialog("search");
        case "?":
          return () => onDialog("keys");
        default:
          return null;
      }
    };

    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.isComposing || !free.current || document.querySelector("dialog[open]")) return;
      const isSearch = (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k" && !hub.isGuest;
      if (isSearch) {
        event.preventDefault();
        return onDialog("search");
      }
      const target = event.target as HTMLElement | null;
      if (event.key === "Escape" && target?.dataset.testid === "composer" && !document.querySelector("[data-testid=answering]")) return leaveComposer();
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isField(target)) return;
      const act = actionOf(event.key.toLowerCase());
      if (!act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [hub, onDialog]);

  return hint;
}

function isField(target: HTMLElement | null): boolean {
  return Boolean(target?.isContentEditable || target?.closest("input, textarea, select"));
}

function visibleRows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>("[data-testid=feed-item]")].filter((row) => row.offsetParent !== null);
}

function leaveComposer(): void {
  const rows = visibleRows();
  const open = rows.find((row) => row.getAttribute("aria-current") === "page");
  (open ?? document.querySelector<HTMLElement>("[data-testid=timeline]"))?.focus();
}

/** The row that has the focus, itself or in one of its buttons. */
function focusedRow(): HTMLElement | null {
  return document.activeElement?.closest("[data-testid=feed] li")?.querySelector<HTMLElement>("[data-testid=feed-item]") ?? null;
}

type Armed = { current: { button: Element; until: number } | null };

/** Presses the button of the chosen row, else of the only request in view; the words that say what happened, or what is missing. */
function press(hub: Hub, action: "approve" | "reject", armed: Armed): string {
  const row = focusedRow();
  // The row of the open conversation stands for its request in view.
  if (row && row.getAttribute("aria-current") !== "page") return pressInRow(row, action, armed);
  const box = document.querySelector("[data-testid=timeline]");
  const inView = (hub.current ? openRequests(hub.current) : []).flatMap((message) => {
    const article = box?.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(message.id)}"]`);
    return box && article && isInSight(article, box) ? [{ message, article }] : [];
  });
  const [one] = inView;
  if (!one) return `There is no request in view to ${WORDS[action]}.`;
  if (inView.length > 1) return `${inView.length} requests are in view: choose one with the Tab key.`;
  const button = one.article.querySelector<HTMLButtonElement>(`[data-action="${action}"]`);
  return button ? pressButton(button, action, requestName(hub, one.message), armed) : NO_BUTTON[action];
}

const WORDS = { approve: "approve", reject: "reject" } as const;
const NO_BUTTON = { approve: "This request has no button to approve.", reject: "This request has no button to reject." } as const;

/** The conversation first: what a question asks for may stand below its first words. */
function requestName({ agents, current }: Hub, message: Message): string {
  const title = current?.session ? sessionTitle(current.session, { agents, participants: current.participants }) : "";
  const asked = preview(message);
  return [title, title === asked ? "" : asked].filter((one) => one !== "").join(": ");
}

function pressInRow(row: HTMLElement, action: "approve" | "reject", armed: Armed): string {
  const button = row.closest("li")?.querySelector<HTMLButtonElement>(`[data-row-action="${action}"]`);
  const group = button?.closest("[role=group]")?.getAttribute("aria-label") ?? "";
  return button ? pressButton(button, action, group, armed) : `This row has nothing to ${WORDS[action]} by a key: Enter opens it.`;
}

function pressButton(button: HTMLButtonElement, action: "approve" | "reject", about: string, armed: Armed): string {
  if (button.disabled || button.getAttribute("aria-disabled") === "true") return NO_BUTTON[action];
  button.focus();
  // Some buttons ask by themselves before they take effect, in their own place.
  const isAnswer = button.closest("[data-testid=confirm]") !== null;
  const asksItself = button.hasAttribute("aria-haspopup") || isAnswer;
  const isConfirmed = armed.current?.button === button && Date.now() < armed.current.until;
  const again = `Press ${action === "approve" ? "A" : "R"} again: ${button.textContent?.trim()} (${about})`;
  if (button.classList.contains("danger") && !asksItself && !isConfirmed) {
    armed.current = { button, until: Date.now() + CONFIRM_MS };
    return again;
  }
  armed.current = null;
  button.click();
  return asksItself && !isAnswer ? again : "";
}
