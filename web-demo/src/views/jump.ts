// Brings a message of the open conversation into view.

/** Space to the edge of the timeline. */
const MARGIN = 12;

/** False where the message is not on the page. */
export function showMessage(messageId: string, { focus = false } = {}): boolean {
  const article = document.querySelector<HTMLElement>(`[data-message-id="${CSS.escape(messageId)}"]`);
  const box = article?.closest<HTMLElement>("[data-testid=timeline]");
  if (!article || !box) return false;
  if (focus) focusArticle(article);
  if (!isInSight(article, box)) {
    const fits = article.offsetHeight < box.clientHeight;
    const inset = fits ? (box.clientHeight - article.offsetHeight) / 2 : MARGIN;
    box.scrollTop += article.getBoundingClientRect().top - box.getBoundingClientRect().top - inset;
  }
  // The timeline takes note at once: until then it follows its end.
  box.dispatchEvent(new Event("scroll"));
  article.classList.add("found");
  article.addEventListener("animationend", () => article.classList.remove("found"), { once: true });
  return true;
}

export function focusArticle(article: HTMLElement): void {
  article.tabIndex = -1;
  article.focus({ preventScroll: true });
}

/** Whether the whole of it is visible, or as much as fits. */
export function isInSight(article: Element, box: Element): boolean {
  const [one, frame] = [article.getBoundingClientRect(), box.getBoundingClientRect()];
  const shown = Math.min(one.bottom, frame.bottom) - Math.max(one.top, frame.top);
  return shown >= Math.min(one.height, frame.height) - MARGIN;
}
