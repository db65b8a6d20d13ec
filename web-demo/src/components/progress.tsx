// `progress{value,max,label?}`: how far something has come.
import type { ComponentView } from "./types";
import { number, text } from "./values";

export const Progress: ComponentView = ({ data }) => {
  const given = number(data.max);
  const max = given !== null && given > 0 ? given : 100;
  const value = Math.min(max, Math.max(0, number(data.value) ?? 0));
  const label = text(data.label) || "Progress";
  const percent = Math.round((value / max) * 100);
  return (
    <div class="progress">
      <div class="progress-label">
        <span dir="auto">{label}</span>
        <span>{percent}%</span>
      </div>
      <progress value={value} max={max} aria-label={label}>
        {percent}%
      </progress>
    </div>
  );
};
