// Times and names as a person reads them.

export function clock(iso: string): string {
  return new Date(iso).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

export function fullTime(iso: string): string {
  return new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

export function dayOf(iso: string, now: number = Date.now()): string {
  const date = new Date(iso);
  const days = Math.round((startOfDay(now) - startOfDay(date.getTime())) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  const year = date.getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" as const };
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long", ...year });
}

/** Short, for a list: the time today, the day else. */
export function shortWhen(iso: string, now: number): string {
  if (startOfDay(now) === startOfDay(Date.parse(iso))) return clock(iso);
  return new Date(iso).toLocaleDateString([], { day: "numeric", month: "short" });
}

/** For what was found: "14:02", "Yesterday, 14:02", "3 Mar 2025, 14:02". */
export function dayAndTime(iso: string, now: number = Date.now()): string {
  const days = Math.round((startOfDay(now) - startOfDay(Date.parse(iso))) / 86_400_000);
  if (days === 0) return clock(iso);
  if (days === 1) return `Yesterday, ${clock(iso)}`;
  const year = new Date(iso).getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" as const };
  return `${new Date(iso).toLocaleDateString([], { day: "numeric", month: "short", ...year })}, ${clock(iso)}`;
}

/** How long until `iso`: "2 d", "3 h", "4:09". */
export function countdown(iso: string, now: number): string {
  const seconds = Math.max(0, Math.ceil((Date.parse(iso) - now) / 1000));
  if (seconds >= 48 * 3600) return `${Math.floor(seconds / 86_400)} days`;
  if (seconds >= 2 * 3600) return `${Math.floor(seconds / 3600)} h`;
  if (seconds >= 3600) return `1 h ${Math.floor((seconds - 3600) / 60)} min`;
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

export function initials(name: string): string {
  const parts = name.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  const letters = parts.length > 1 ? [parts[0], parts[parts.length - 1]] : [parts[0] ?? "?"];
  return letters.map((part) => [...(part ?? "")][0] ?? "").join("").toUpperCase();
}

/** One of eight tints, the same for the same name. */
export function tint(name: string): number {
  let hash = 7;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return hash % 8;
}

function startOfDay(time: number): number {
  return new Date(time).setHours(0, 0, 0, 0);
}
