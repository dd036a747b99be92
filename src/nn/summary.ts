import { bytesOf, sizeOf } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Equation, Program } from "../ir/program.ts";
import { movePrimitives } from "../ops/move.ts";
import type { Tensor } from "../ops/tensor.ts";
import type { TensorTree } from "../trace/grad.ts";
import type { Observer } from "./context.ts";
import { avalsOf, formatAvals } from "./define-layer.ts";

/** One application of a layer: what it gave, and the work of its own equations, those of inner layers not counted. */
export type SummaryRow = {
  readonly path: string;
  readonly kind: string;
  output: TensorTree | undefined;
  flops: number;
};

type Leaves = readonly (readonly [path: string, leaf: HostArray])[];

const WIDTH = 80;
const OUTPUT_WIDTH = 23;
const PARAMETERS_WIDTH = 11;
const FLOPS_WIDTH = 9;
const ACTIVATION_WIDTH = 12;
const LABEL_WIDTH = WIDTH - OUTPUT_WIDTH - PARAMETERS_WIDTH - FLOPS_WIDTH - ACTIVATION_WIDTH;

/** Movement, choices of elements and random bits: no arithmetic on floats. */
const FREE: ReadonlySet<string> = new Set([
  ...movePrimitives.map(({ name }) => name),
  "alias",
  "stopGradient",
  "cast",
  "select",
  "gather",
  "randomBits",
]);

/** Floating-point operations of an equation: 2 for each multiply-add of a product, else 1 for each element it reads or makes. */
function flopsOf(eq: Equation): number {
  const nested = (program: Program | undefined): number => (program ? flopsOfAll(program.equations) : 0);
  const [x, y] = eq.inputs;
  const out = sizeOf(eq.outputs[0]?.aval.shape ?? []);
  switch (eq.primitive) {
    case "dot":
      return 2 * out * (x?.aval.shape.at(-1) ?? 0);
    case "conv2d":
      return 2 * out * sizeOf(y?.aval.shape.slice(1) ?? []);
    case "convInputGrad":
      return 2 * sizeOf(x?.aval.shape ?? []) * sizeOf(y?.aval.shape.slice(1) ?? []);
    case "convWeightGrad":
      return 2 * sizeOf(y?.aval.shape ?? []) * sizeOf(eq.outputs[0]?.aval.shape.slice(1) ?? []);
    case "scan":
      return (eq.params.length as number) * nested(eq.programs?.[0]);
    case "cond":
      return Math.max(nested(eq.programs?.[0]), nested(eq.programs?.[1]));
    case "call":
      return nested(eq.programs?.[0]);
    case "while":
      return 0;
    case "maxPool":
    case "sumPool": {
      const [height = 1, width = 1] = eq.params.window as readonly number[];
      return out * height * width;
    }
    default:
      return FREE.has(eq.primitive) ? 0 : Math.max(out, sizeOf(x?.aval.shape ?? []));
  }
}

const flopsOfAll = (equations: readonly Equation[]): number => equations.reduce((sum, eq) => sum + flopsOf(eq), 0);

/** Adds a row for each layer as it is applied; `equations` is the list that grows with the trace. */
export function summaryRows(rows: SummaryRow[], equations: readonly Equation[]): Observer {
  /** Work of the layers inside the one that is being applied. */
  let inner = 0;
  return (path, layer) => {
    const row: SummaryRow = { path, kind: layer.config.kind, output: undefined, flops: 0 };
    rows.push(row);
    const start = equations.length;
    const outside = inner;
    inner = 0;
    return (output) => {
      const all = flopsOfAll(equations.slice(start));
      row.output = output;
      row.flops = all - inner;
      inner = outside + all;
    };
  };
}

/**
 * Rows in the order the layers run, inner layers indented. A layer with inner ones shows no count of its own, but work that it
 * does beside theirs. `peakBytes` is the memory of the compiled step, where it is known.
 */
export function summaryTable(
  rows: readonly SummaryRow[],
  params: Leaves,
  buffers: Leaves,
  peakBytes: number | undefined,
): string {
  const counted = new Set<string>();
  let activations = 0;
  const lines = rows.flatMap((row, i) => {
    const depth = row.path.split(".").length - 1;
    const isContainer = rows[i + 1]?.path.startsWith(`${row.path}.`) ?? false;
    if (isContainer && depth === 0) return [];
    const name = row.path.split(".").at(-1) ?? "";
    const label = "  ".repeat(Math.max(0, depth - 1)) + (name === row.kind ? name : `${name} ${row.kind}`);
    const output = row.output === undefined ? "" : formatAvals(avalsOf(row.output));
    const flops = row.flops === 0 && isContainer ? "" : scaled(row.flops);
    if (isContainer) return [[label, output, "", flops, ""] as const];
    const bytes = row.output === undefined ? 0 : treeBytes(leavesOf<Tensor>(row.output));
    activations += bytes;
    const count = counted.has(row.path) ? "shared" : grouped(totalOf(params, `${row.path}.`));
    counted.add(row.path);
    return [[label, output, count, flops, bytesText(bytes)] as const];
  });
  const line = ([label, output, count, flops, bytes]: (typeof lines)[number]): string =>
    [
      cut(label, LABEL_WIDTH - 1).padEnd(LABEL_WIDTH),
      cut(output, OUTPUT_WIDTH - 1).padEnd(OUTPUT_WIDTH),
      count.padStart(PARAMETERS_WIDTH),
      flops.padStart(FLOPS_WIDTH),
      bytes.padStart(ACTIVATION_WIDTH),
    ]
      .join("")
      .trimEnd();
  const stored = totalOf(buffers, "");
  const total = `${grouped(totalOf(params, ""))} parameters (${bytesText(treeBytes(params))})`;
  const flops = rows.reduce((sum, row) => sum + row.flops, 0);
  return [
    line(["layer", "output", "parameters", "FLOPs", "activations"]),
    "-".repeat(WIDTH),
    ...lines.map(line),
    "-".repeat(WIDTH),
    stored > 0 ? `${total}, ${grouped(stored)} buffer values` : total,
    `forward pass: ${scaled(flops)} FLOPs, ${bytesText(activations)} of activations`,
    ...(peakBytes === undefined
      ? []
      : [`training step: ${bytesText(peakBytes)} of memory at its peak, beside parameters and data`]),
  ].join("\n");
}

function totalOf(leaves: Leaves, prefix: string): number {
  return leaves.reduce((sum, [path, { aval }]) => (path.startsWith(prefix) ? sum + sizeOf(aval.shape) : sum), 0);
}

function treeBytes(leaves: readonly (readonly [path: string, leaf: HostArray | Tensor])[]): number {
  return leaves.reduce((sum, [, { aval }]) => sum + sizeOf(aval.shape) * bytesOf(aval.dtype), 0);
}

function grouped(count: number): string {
  return `${count}`.replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Three digits and a unit: `1.85 G`. */
function scaled(count: number): string {
  const units = ["", " k", " M", " G", " T"];
  const power = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** power;
  return power === 0 ? `${count}` : `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)}${units[power]}`;
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}
