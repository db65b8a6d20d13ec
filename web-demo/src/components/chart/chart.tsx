// `chart{type,labels,values}` or `{type,labels,series:[{name,values}]}`: a picture, a legend, and the same figures as a table.
import type { VNode } from "preact";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { Table } from "../table";
import type { ComponentView } from "../types";
import { text } from "../values";
import { Unknown } from "../unknown";
import { type ChartData, chartOf, type Drawn, drawnOf, summaryOf } from "./data";
import { Plot } from "./plot";

const WIDTH = 480;
const LEAST = 180;

export const Chart: ComponentView = ({ node, data }) => {
  const chart = useMemo(() => chartOf(data), [data]);
  const drawn = useMemo(() => chart && drawnOf(chart), [chart]);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  if (!chart || !drawn) return <Unknown label="chart" value={node.data ?? null} />;
  const isEmpty = !drawn.series.some(({ values }) => values.some((value) => value !== null));
  const title = text(data.title);
  return (
    <figure class="chart" data-testid="chart">
      {title && <figcaption dir="auto">{title}</figcaption>}
      {drawn.series.length > 1 && <Legend drawn={drawn} />}
      <div class="chart-box" ref={box}>
        {isEmpty ? <p class="hint">No values to draw.</p> : <Plot drawn={drawn} width={width} summary={summaryOf(chart)} />}
      </div>
      <Omitted chart={chart} drawn={drawn} />
      <details>
        <summary>Show as a table</summary>
        <Table node={{ type: "table", data: {} }} data={tableOf(chart)} />
      </details>
    </figure>
  );
};

/** Drawn at its real size, so that its text is as large on a phone as elsewhere. */
function useWidth(box: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(WIDTH);
  useLayoutEffect(() => {
    const el = box.current;
    if (!el) return;
    const measure = (): void => setWidth(Math.max(LEAST, Math.floor(el.clientWidth) || WIDTH));
    measure();
    const follow = new ResizeObserver(measure);
    follow.observe(el);
    return () => follow.disconnect();
  }, []);
  return width;
}

function Legend({ drawn }: { drawn: Drawn }): VNode {
  return (
    <ul class="legend" aria-label="Legend">
      {drawn.series.map(({ name }, i) => (
        <li>
          <svg class={`${drawn.type === "bar" ? "bars" : "line"} series-${i}`} viewBox="0 0 24 12" width="24" height="12" aria-hidden="true">
            {drawn.type === "bar" ? <rect x="6" y="0" width="12" height="12" /> : <path d="M0 6L24 6" fill="none" />}
          </svg>
          <span dir="auto">{name}</span>
        </li>
      ))}
    </ul>
  );
}

function Omitted({ chart, drawn: { step, hiddenSeries } }: { chart: ChartData; drawn: Drawn }): VNode | null {
  const notes = [
    step > 1 ? `One of every ${step} points is drawn, of ${chart.labels.length.toLocaleString()}.` : "",
    hiddenSeries > 0 ? `${hiddenSeries} more series ${hiddenSeries === 1 ? "is" : "are"} in the table only.` : "",
  ].filter(Boolean);
  return notes.length === 0 ? null : <p class="chart-note">{notes.join(" ")}</p>;
}

/** All of its figures, a row for each label. */
function tableOf({ labels, series }: ChartData): Record<string, unknown> {
  return { headers: ["", ...series.map(({ name }) => name)], rows: labels.map((label, i) => [label, ...series.map(({ values }) => values[i] ?? "")]) };
}
