import type { DType } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Program } from "../../ir/program.ts";
import type { Dim } from "./dims.ts";

/** `Program` for batches of any length: sizes, also those among the parameters, are `Dim`s. */
export type AnyProgram = {
  readonly inputs: readonly { readonly path: string; readonly role: string; readonly value: AnyVar }[];
  readonly equations: readonly AnyEquation[];
  readonly outputs: readonly { readonly path: string; readonly role: string; readonly value: AnyVar }[];
};

export type AnyVar = {
  readonly id: number;
  readonly aval: { readonly dtype: DType; readonly shape: readonly Dim[] };
};

export type AnyEquation = {
  readonly primitive: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: readonly AnyVar[];
  readonly outputs: readonly AnyVar[];
  readonly programs?: readonly AnyProgram[];
  readonly site: string;
};

/** 1 / a size, among the parameters. */
export type OneOver = { readonly oneOver: Dim };

/**
 * What one function recorded for batches of these sizes, as one program. Throws OptionError where it recorded something else,
 * or a number that is not perSample N + plus.
 */
export function forAnyBatch(programs: readonly Program[], sizes: readonly number[]): AnyProgram {
  return new Merger(sizes).merge(programs) as AnyProgram;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !(value instanceof HostArray);

class Merger {
  private readonly sizes: readonly number[];
  private site = "";

  constructor(sizes: readonly number[]) {
    this.sizes = sizes;
  }

  merge(values: readonly unknown[]): unknown {
    const [first] = values;
    if (values.every((value) => Object.is(value, first)) && !isRecord(first)) return first;
    if (values.every((value) => typeof value === "number")) return this.number(values);
    if (values.every((value) => value instanceof HostArray)) return this.array(values);
    if (!values.every(isRecord)) return this.refuse();
    const records = values as readonly Readonly<Record<string, unknown>>[];
    const names = Object.keys(first as object);
    if (records.some((record) => Object.keys(record).length !== names.length)) return this.refuse();
    if (typeof records[0]?.site === "string") this.site = `${records[0].site}: ${String(records[0].primitive)}`;
    const merged = names.map((name) => [name, this.merge(records.map((record) => record[name]))] as const);
    return Array.isArray(first) ? merged.map(([, value]) => value) : Object.fromEntries(merged);
  }

  /** A size, or one over a size, as means have it. */
  private number(values: readonly number[]): Dim | OneOver {
    const size = this.line(values);
    if (size !== undefined) return size;
    const over = values.map((value) => Math.round(1 / value));
    const oneOver = over.every((count, i) => values[i] === 1 / count) ? this.line(over) : undefined;
    return oneOver === undefined ? this.refuse() : { oneOver };
  }

  private line(values: readonly number[]): Dim | undefined {
    const [n0, n1] = this.sizes as [number, number];
    const [v0, v1] = values as [number, number];
    const perSample = (v1 - v0) / (n1 - n0);
    const plus = v0 - perSample * n0;
    const fits = values.every((value, i) => value === perSample * (this.sizes[i] as number) + plus);
    return Number.isInteger(perSample) && fits ? { perSample, plus } : undefined;
  }

  private array(values: readonly HostArray[]): HostArray {
    const [first] = values as readonly [HostArray];
    const same = values.every(
      ({ dtype, shape, data }) =>
        dtype === first.dtype && `${shape}` === `${first.shape}` && data.every((x, i) => Object.is(x, first.data[i])),
    );
    return same ? first : this.refuse();
  }

  private refuse(): never {
    throw new OptionError(
      `exportOnnx: what the model computes depends on the batch's size in more than its shapes${this.site === "" ? "" : ` (at ${this.site})`}; expected the same for all. Hint: { batch: 1 } makes a graph for batches of one size.`,
      "batch",
    );
  }
}

/** The equations that the outputs need, in order. */
export function liveEquations(program: Pick<AnyProgram, "equations" | "outputs">): {
  readonly equations: readonly AnyEquation[];
  /** Ids of what they and the outputs read. */
  readonly read: ReadonlySet<number>;
} {
  const read = new Set(program.outputs.map(({ value }) => value.id));
  const equations: AnyEquation[] = [];
  for (const equation of program.equations.toReversed()) {
    if (!equation.outputs.some(({ id }) => read.has(id))) continue;
    for (const { id } of equation.inputs) read.add(id);
    equations.push(equation);
  }
  return { equations: equations.reverse(), read };
}
