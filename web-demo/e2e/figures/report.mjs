// Numbers as people read them: medians, units, and the table.
export function median(values) {
  return quantile(values, 0.5);
}

export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(part * sorted.length) - 1))];
}

export const ms = (value) => (value >= 10_000 ? `${(value / 1_000).toFixed(1)} s` : value >= 1_000 ? `${(value / 1_000).toFixed(2)} s` : value >= 20 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`);
export const kb = (bytes) => `${(bytes / 1_000).toFixed(1)} KB`;
export const mb = (bytes) => `${(bytes / 1_000_000).toFixed(1)} MB`;
export const number = (value) => Math.round(value).toLocaleString("en");

/** `rows`: what, before, now, and the goal, where there is one. */
export function table(rows) {
  const lines = rows.map(([what, before, now, goal = ""]) => `| ${what} | ${before} | ${now} | ${goal} |`);
  return ["| what | before | now | goal |", "|---|---|---|---|", ...lines].join("\n");
}

/** The goal, and whether it was reached. */
export function goal(text, isReached) {
  return isReached ? text : `${text}: **missed**`;
}
