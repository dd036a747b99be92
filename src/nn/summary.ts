import { bytesOf, sizeOf } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import type { TensorTree } from "../trace/grad.ts";
import { avalsOf, formatAvals } from "./define-layer.ts";

export type SummaryRow = { readonly path: string; readonly kind: string; output: TensorTree | undefined };

type Leaves = readonly (readonly [path: string, leaf: HostArray])[];

const WIDTH = 80;

/** Rows in the order the layers run, inner layers indented; a layer with inner ones shows no count of its own. */
export function summaryTable(rows: readonly SummaryRow[], params: Leaves, buffers: Leaves): string {
  const counted = new Set<string>();
  const lines = rows.flatMap((row, i) => {
    const depth = row.path.split(".").length - 1;
    const isContainer = rows[i + 1]?.path.startsWith(`${row.path}.`) ?? false;
    if (isContainer && depth === 0) return [];
    const name = row.path.split(".").at(-1) ?? "";
    const label = "  ".repeat(Math.max(0, depth - 1)) + (name === row.kind ? name : `${name} ${row.kind}`);
    const output = row.output === undefined ? "" : formatAvals(avalsOf(row.output));
    let count = "";
    if (!isContainer) count = counted.has(row.path) ? "shared" : grouped(totalOf(params, `${row.path}.`));
    counted.add(row.path);
    return [[label, output, count] as const];
  });
  const countWidth = 12;
  const longest = Math.max(...lines.map(([label]) => label.length));
  const labelWidth = Math.min(Math.max(longest, 20), 40) + 2;
  const outputWidth = WIDTH - labelWidth - countWidth;
  const line = ([label, output, count]: readonly [string, string, string]): string =>
    `${cut(label, labelWidth - 1).padEnd(labelWidth)}${cut(output, outputWidth - 1).padEnd(outputWidth)}${count.padStart(countWidth)}`.trimEnd();
  const bytes = params.reduce((sum, [, { aval }]) => sum + sizeOf(aval.shape) * bytesOf(aval.dtype), 0);
  const stored = totalOf(buffers, "");
  const total = `${grouped(totalOf(params, ""))} parameters (${bytesText(bytes)})`;
  return [
    line(["layer", "output", "parameters"]),
    "-".repeat(WIDTH),
    ...lines.map(line),
    "-".repeat(WIDTH),
    stored > 0 ? `${total}, ${grouped(stored)} buffer values` : total,
  ].join("\n");
}

function totalOf(leaves: Leaves, prefix: string): number {
  return leaves.reduce((sum, [path, { data }]) => (path.startsWith(prefix) ? sum + data.length : sum), 0);
}

function grouped(count: number): string {
  return `${count}`.replace(/\B(?=(\d{3})+$)/g, ",");
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
