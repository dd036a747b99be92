/** The tables of docs/primitives.md about derivatives, measured. */
import type { Backend } from "../../src/compile/backend.ts";
import type { Aval } from "../../src/core/dtype.ts";
import { primitiveNames, primitiveOf } from "../../src/ops/table.ts";
import { Random } from "../../src/testing/random.ts";
import { samplePrimitives } from "../../src/testing/samples/table.ts";
import { candidates } from "../conformance/candidates.ts";
import { type Errors, errorsOfRule, errorsOn, type Subject, subjects } from "../gradients/derivative-errors.ts";
import { code, markdownTable } from "./markdown.ts";

/** What differences cannot see, and what one rounding in single precision is. */
const FLOOR_OF_DIFFERENCES = 1e-9;
const FLOOR_OF_SINGLES = 1e-7;

const RULE = "rule, f64";
const FUSED = "wasm, fused";

type Column = {
  readonly head: string;
  readonly floor: number;
  readonly errors: ((subject: Subject) => Promise<Errors>) | undefined;
};

const onBackend = (head: string, backend: Backend): Column => ({
  head,
  floor: FLOOR_OF_SINGLES,
  errors: (subject) => errorsOn(backend, subject),
});

/** The next power of ten, with room for the last digits in which machines differ. */
function boundOf(error: number, floor: number): number {
  return Number(`1e${Math.ceil(Math.log10(Math.max(1.2 * error, floor)) - 1e-9)}`);
}

/** What stands on the page is kept as long as it holds and is not far too wide; so no error is printed anew for a last digit. */
function bound(error: number, floor: number, printed: number | undefined): string {
  const holds = printed !== undefined && error <= printed && (printed <= floor || error > printed / 300);
  return (holds ? printed : boundOf(error, floor)).toExponential();
}

/** The cells of a Markdown table by row and column. */
export function cellsOf(table: string): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const lines = table.split("\n").filter((line) => line.startsWith("|"));
  const [heads = [], , ...rows] = lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return new Map(rows.map((cells) => [cells[0] ?? "", new Map(cells.map((cell, i) => [heads[i] ?? "", cell]))]));
}

/** `first, second` as the cell for these errors, next to the cell that the page has. */
export function cellFor({ first, second }: Errors, floor: number, printed: string | undefined): string {
  const [oldFirst, oldSecond] = (printed ?? "").split(", ").map((text) => (text === "" ? undefined : Number(text)));
  return `${bound(first, floor, oldFirst)}, ${bound(second, floor, oldSecond)}`;
}

function largest(cells: readonly string[]): string {
  const each = cells.map((cell) => cell.split(", ").map(Number));
  return [0, 1].map((order) => Math.max(...each.map((errors) => errors[order] ?? 0)).toExponential()).join(", ");
}

export async function derivativeTable(current: string): Promise<string> {
  const printed = cellsOf(current);
  // The wide form has the bits of the others, and a BLAS is the system's.
  const backends = candidates
    .filter(({ name }) => !["wasm, wide", "wasm, products by a BLAS"].includes(name))
    .map(({ name, create }) => ({ name, backend: create() }));
  const columns: Column[] = [
    { head: RULE, floor: FLOOR_OF_DIFFERENCES, errors: errorsOfRule },
    ...backends.map(({ name, backend }) => onBackend(name, backend)),
  ];
  // An engine without relaxed SIMD leaves this column as it is.
  if (!columns.some(({ head }) => head === FUSED))
    columns.push({ head: FUSED, floor: FLOOR_OF_SINGLES, errors: undefined });
  const rows: string[][] = [];
  for (const subject of subjects) {
    const row = [code(subject.name)];
    for (const { head, floor, errors } of columns) {
      const old = printed.get(code(subject.name))?.get(head);
      row.push(errors ? cellFor(await errors(subject), floor, old) : (old ?? ""));
    }
    rows.push(row);
  }
  for (const { backend } of backends) await backend.close();
  rows.push(["the largest", ...columns.map((_, i) => largest(rows.map((row) => row[i + 1] ?? "")))]);
  return markdownTable(["primitive", ...columns.map(({ head }) => head)], rows);
}

const JUMPS = "constant between jumps";

/** Why each of the others has none. */
export function constantTable(): string {
  const reasonOf = (name: (typeof primitiveNames)[number]): string => {
    const primitive = primitiveOf(name);
    const { draw, dtypes } = samplePrimitives[name];
    if (name === "stopGradient") return "meant to have none";
    if (!dtypes.includes("f32")) return "of integers and truth values alone";
    const { params, inputs } = draw(new Random(0), "f32");
    if (inputs.every(({ dtype }) => dtype !== "f32")) return "no f32 goes in";
    const outputs: readonly Aval[] = primitive.shape(params, ...inputs);
    return outputs.some(({ dtype }) => dtype === "f32") ? JUMPS : "no f32 comes out";
  };
  const byReason = new Map<string, string[]>();
  for (const name of primitiveNames.filter((each) => primitiveOf(each).vjp === "none"))
    byReason.set(reasonOf(name), [...(byReason.get(reasonOf(name)) ?? []), code(name)]);
  byReason.set("the number of rounds is unknown", [code("while")]);
  return markdownTable(
    ["no derivative", "primitives"],
    [...byReason].map(([reason, names]) => [reason, names.join(", ")]),
  );
}
