// The picture of a chart: axis, bars or lines, as SVG. Colours and dashes are those of the classes `series-0` to `series-7`.
import type { VNode } from "preact";
import { type Drawn, rangeOf, words } from "./data";
import { placeOf, type Scale, scaleOf, tickLabel } from "./scale";

const HEIGHT = 200;
const [TOP, BOTTOM, RIGHT] = [8, 26, 12];
const CHARACTER = 6.6;
/** The room of one label of the lower axis. */
const LABEL = 72;

interface Frame {
  drawn: Drawn;
  scale: Scale;
  x: (at: number) => number;
  y: (value: number) => number;
  /** The room of one point. */
  step: number;
}

export function Plot({ drawn, width, summary }: { drawn: Drawn; width: number; summary: string }): VNode {
  const values = drawn.series.flatMap((one) => one.values).filter((value) => value !== null);
  const [low, high] = rangeOf(values);
  const scale = drawn.type === "bar" ? scaleOf(Math.min(0, low), Math.max(0, high)) : scaleOf(low, high);
  const labels = scale.ticks.map(tickLabel);
  const left = Math.min(84, Math.max(...labels.map(({ length }) => length)) * CHARACTER + 10);
  const step = (width - left - RIGHT) / drawn.labels.length;
  const frame: Frame = {
    drawn,
    scale,
    step,
    x: (at) => round(left + step * (at + 0.5)),
    y: (value) => round(TOP + (1 - placeOf(scale, value)) * (HEIGHT - TOP - BOTTOM)),
  };
  return (
    <svg class="chart-plot" role="img" aria-label={summary} viewBox={`0 0 ${width} ${HEIGHT}`} width={width} height={HEIGHT}>
      {scale.ticks.map((tick, i) => (
        <g class={tick === 0 ? "tick zero" : "tick"}>
          <line x1={left} x2={width - RIGHT} y1={frame.y(tick)} y2={frame.y(tick)} />
          <text x={left - 6} y={frame.y(tick)} dy="0.32em" text-anchor="end">
            {labels[i]}
          </text>
        </g>
      ))}
      <Labels frame={frame} />
      {drawn.series.map((one, i) =>
        drawn.type === "bar" ? <Bars frame={frame} values={one.values} name={one.name} at={i} /> : <Line frame={frame} values={one.values} name={one.name} at={i} />,
      )}
    </svg>
  );
}

/** As many labels as there is room for. */
function Labels({ frame: { drawn, step, x } }: { frame: Frame }): VNode {
  const every = Math.max(1, Math.ceil(LABEL / step));
  const most = Math.max(3, Math.floor((Math.max(step, LABEL) - 4) / CHARACTER));
  return (
    <g class="labels">
      {drawn.labels.map((label, i) =>
        i % every === 0 ? (
          <text x={x(i)} y={HEIGHT - 8} text-anchor="middle">
            {label.length > most ? `${label.slice(0, most - 1)}…` : label}
            <title>{label}</title>
          </text>
        ) : null,
      )}
    </g>
  );
}

interface SeriesProps {
  frame: Frame;
  name: string;
  values: readonly (number | null)[];
  at: number;
}

function Bars({ frame: { drawn, scale, step, x, y }, name, values, at }: SeriesProps): VNode {
  const count = drawn.series.length;
  const group = Math.min(step * 0.8, 48 * count);
  const each = group / count;
  const base = y(Math.min(scale.high, Math.max(scale.low, 0)));
  return (
    <g class={`bars series-${at}`}>
      {values.map((value, i) => {
        if (value === null) return null;
        const end = y(value);
        return (
          <rect
            x={round(x(i) - group / 2 + each * at)}
            y={Math.min(base, end)}
            width={round(Math.max(0.5, each - Math.min(2, each * 0.15)))}
            height={Math.max(1, Math.abs(end - base))}
          >
            <title>{pointName(drawn.labels[i], name, value)}</title>
          </rect>
        );
      })}
    </g>
  );
}

function Line({ frame: { drawn, step, x, y }, name, values, at }: SeriesProps): VNode {
  const isAlone = (i: number): boolean => (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
  return (
    <g class={`line series-${at}`}>
      <path d={pathOf(values, x, y)} fill="none" />
      {values.map((value, i) =>
        // Close together, points would hide the line; one without neighbours has nothing else to show it.
        value !== null && (step >= 14 || isAlone(i)) ? (
          <circle cx={x(i)} cy={y(value)} r="3.5">
            <title>{pointName(drawn.labels[i], name, value)}</title>
          </circle>
        ) : null,
      )}
    </g>
  );
}

/** The line through the values, interrupted at gaps. */
export function pathOf(values: readonly (number | null)[], x: (at: number) => number, y: (value: number) => number): string {
  return values
    .map((value, i) => (value === null ? "" : `${(values[i - 1] ?? null) === null ? "M" : "L"}${x(i)} ${y(value)}`))
    .filter((piece) => piece !== "")
    .join("");
}

function pointName(label: string | undefined, name: string, value: number): string {
  return `${label ?? ""}, ${name}: ${words(value)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
