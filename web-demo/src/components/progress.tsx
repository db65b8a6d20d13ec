// `progress{value,max,label?}`: how far something has come.
import { type ComponentView, text } from "./types";

export const Progress: ComponentView = ({ data }) => {
  const max = Number(data.max) > 0 ? Number(data.max) : 100;
  const value = Math.min(max, Math.max(0, Number(data.value) || 0));
  const label = text(data.label);
  const percent = Math.round((value / max) * 100);
  return (
    <div class="progress">
      <div class="progress-label">
        <span dir="auto">{label || "Progress"}</span>
        <span>{percent}%</span>
      </div>
      <progress value={value} max={max} aria-label={label || "Progress"}>
        {percent}%
      </progress>
    </div>
  );
};
