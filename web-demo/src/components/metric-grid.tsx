// `metric_grid{metrics:[{label,value,change?}]}`: a few figures, each with how it moved.
import type { VNode } from "preact";
import { useFold } from "./fold";
import type { ComponentView } from "./types";
import { list, text } from "./values";
import { Unknown } from "./unknown";

export const MetricGrid: ComponentView = ({ node, data }) => {
  const metrics = list(data.metrics);
  const { shown, more } = useFold(metrics.length, 24, "figures");
  if (metrics.length === 0) return <Unknown label="metric_grid" value={node.data ?? null} />;
  return (
    <>
      <dl class="metrics">
        {metrics.slice(0, shown).map((metric) => (
          <div class="metric">
            <dt dir="auto">{text(metric.label)}</dt>
            <dd>
              <span class="metric-value" dir="auto">
                {figure(metric.value)}
              </span>
              {text(metric.change) !== "" && <Change value={metric.change} />}
            </dd>
          </div>
        ))}
      </dl>
      {more}
    </>
  );
};

function figure(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString() : text(value);
}

/** Up and down by arrows, without a colour: whether more is better, only the agent knows. */
function Change({ value }: { value: unknown }): VNode {
  const words = typeof value === "number" && value > 0 ? `+${figure(value)}` : figure(value);
  const arrow = /^\s*[-−–]/.test(words) ? "▼ " : /^\s*\+/.test(words) ? "▲ " : "";
  return (
    <span class="metric-change" dir="auto">
      {arrow && <span aria-hidden="true">{arrow}</span>}
      {words}
    </span>
  );
}
