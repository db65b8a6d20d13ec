// `table{headers:[string],rows:[[scalar]]}`: rows and columns, scrolled sideways in a box of their own.
import { useMemo } from "preact/hooks";
import { useFold } from "./fold";
import type { ComponentView } from "./types";
import { number, text } from "./values";
import { Unknown } from "./unknown";

const COLUMNS = 50;

export const Table: ComponentView = ({ node, data }) => {
  const table = useMemo(() => tableOf(data), [data]);
  const { shown, more } = useFold(table?.rows.length ?? 0, 50, "rows");
  if (!table) return <Unknown label="table" value={node.data ?? null} />;
  const { headers, rows, numeric } = table;
  return (
    <div class="table">
      {/* Focusable, so that a wide table can be scrolled by the keyboard. */}
      <div class="table-scroll" tabIndex={0} role="group" aria-label={`Table with ${rows.length} rows`}>
        <table>
          {headers.some((header) => header !== "") && (
            <thead>
              <tr>
                {headers.map((header, column) => (
                  <th scope="col" class={numeric[column] ? "numeric" : ""} dir="auto">
                    {header}
                  </th>
                ))}
              </tr>
            </thead>
          )}
          <tbody>
            {rows.slice(0, shown).map((row) => (
              <tr>
                {row.map((cell, column) => (
                  <td class={numeric[column] ? "numeric" : ""} dir="auto">
                    {cell}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more}
    </div>
  );
};

interface TableData {
  headers: string[];
  rows: string[][];
  /** Whether a column holds numbers alone. */
  numeric: boolean[];
}

/** Rows of one length, for rows and headers of any; null where there is nothing to show. */
export function tableOf({ headers, rows }: Record<string, unknown>): TableData | null {
  const names = Array.isArray(headers) ? headers.map(text) : [];
  const cells = (Array.isArray(rows) ? rows : []).map((row: unknown) => (Array.isArray(row) ? row : [row]));
  const columns = Math.min(COLUMNS, Math.max(names.length, ...lengths(cells)));
  if (columns === 0) return null;
  const filled = cells.map((row) => Array.from({ length: columns }, (_, column) => text(row[column])));
  const numeric = Array.from({ length: columns }, (_, column) => {
    const values = filled.map((row) => row[column] ?? "").filter((cell) => cell !== "");
    return values.length > 0 && values.every((cell) => number(cell) !== null);
  });
  return { headers: Array.from({ length: columns }, (_, column) => names[column] ?? ""), rows: filled, numeric };
}

/** The distinct lengths, few enough to be arguments. */
function lengths(rows: readonly unknown[][]): number[] {
  return [0, ...new Set(rows.map((row) => Math.min(COLUMNS, row.length)))];
}
