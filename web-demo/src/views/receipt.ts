// Saves the receipt of an answered question as a file, which anybody can check without the hub.
import type { LiveSession, Message } from "@hiloop/sdk/chat";

export async function saveReceipt(live: LiveSession, question: Message): Promise<void> {
  const json = await live.seals.sealing?.receipt(question);
  if (!json) return;
  const url = URL.createObjectURL(new Blob([json], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `receipt-${question.id}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
