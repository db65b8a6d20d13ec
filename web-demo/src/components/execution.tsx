// `execution{command,output?,status,exitCode?,durationMs?}`: a command, what it printed, and how it ended.
import type { VNode } from "preact";
import { CodeFigure } from "../code/figure";
import { CopyButton } from "../code/copy-button";
import type { ComponentView } from "./types";
import { number, text } from "./values";

const STATES: ReadonlyMap<string, { mark: string; words: string }> = new Map([
  ["running", { mark: "…", words: "Running" }],
  ["succeeded", { mark: "✓", words: "Succeeded" }],
  ["failed", { mark: "✕", words: "Failed" }],
]);

export const Execution: ComponentView = ({ data }) => {
  const status = text(data.status);
  const output = withoutEscapes(text(data.output));
  const exitCode = number(data.exitCode);
  const duration = number(data.durationMs);
  return (
    <section class="execution" aria-label="Command">
      <div class="execution-head">
        <pre class="command">
          <code>{text(data.command)}</code>
        </pre>
        <CopyButton text={text(data.command)} />
      </div>
      <p class="execution-state">
        <State status={status} />
        {exitCode !== null && <span>Exit code {exitCode}</span>}
        {duration !== null && duration >= 0 && <span>{durationOf(duration)}</span>}
      </p>
      {/* What matters of a long output is its end. */}
      {output !== "" && <CodeFigure label="Output" text={output} keep="end" />}
    </section>
  );
};

function State({ status }: { status: string }): VNode | null {
  const known = STATES.get(status);
  if (!known) return status === "" ? null : <span class="tag">{status}</span>;
  return (
    <span class={`tag run-${status}`}>
      <span aria-hidden="true">{known.mark} </span>
      {known.words}
    </span>
  );
}

export function durationOf(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** The text without the escape sequences of a terminal (colours, cursor, titles). */
export function withoutEscapes(output: string): string {
  return output.replace(/\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g, "").replace(/\r\n/g, "\n");
}
