import { type Aval, bytesOf, type DType, type Shape, sizeOf, stridesOf } from "../core/dtype.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import type { ScanParams } from "../trace/control.ts";
import type { Buffer, Slice, View } from "./kernel.ts";

/** Makes a row-major buffer. */
type Make = (name: string, aval: Aval) => Buffer;

/**
 * A carried value in slots of one buffer: a round reads one slot and writes the next, so that nothing is copied between rounds. With a
 * slot for each round the values before, or after, all rounds lie one after another; else there are two, used in turn.
 */
export type Carried = {
  /** Where the first value goes. */
  readonly first: View;
  readonly before: Buffer;
  readonly after: Buffer;
  /** Where the value after a known number of rounds is. */
  readonly last: View;
};

export type ScanMemory = {
  /** Null: the body hands the value on as it is. */
  readonly carries: readonly (Carried | null)[];
  /** Of the equation's outputs, by variable. */
  readonly views: ReadonlyMap<number, View>;
};

/** What a slice shows lies with these strides. */
export function sliceOf(
  make: Make,
  name: string,
  view: { readonly dtype: DType; readonly shape: Shape; readonly strides: readonly number[] },
  home: Slice,
): Buffer {
  const size = view.shape.reduce((n, length, axis) => n + (length - 1) * (view.strides[axis] as number), 1);
  const layout = { strides: view.strides, offset: 0, size, border: false };
  return { ...make(name, view), layout, home };
}

/** Element `i` of the leading axis in iteration `i`. */
export function elementsOf(make: Make, name: string, view: View): Buffer {
  const { dtype } = view.buffer;
  const [step, ...strides] = view.strides as [number, ...number[]];
  return sliceOf(
    make,
    name,
    { dtype, shape: view.shape.slice(1), strides },
    {
      kind: "slice",
      of: view.buffer,
      base: view.offset * bytesOf(dtype),
      step: step * bytesOf(dtype),
      alternates: null,
    },
  );
}

function slot(buffer: Buffer, aval: Aval, at: number): View {
  return { buffer, shape: aval.shape, strides: stridesOf(aval.shape), offset: at * sizeOf(aval.shape) };
}

/** Two slots, used in turn. */
export function alternating(make: Make, name: string, aval: Aval, rounds: number, reverse: boolean): Carried {
  const of = make(name, { dtype: aval.dtype, shape: [2, ...aval.shape] });
  const step = sizeOf(aval.shape) * bytesOf(aval.dtype);
  const view = { ...aval, strides: stridesOf(aval.shape) };
  const half = (suffix: string, alternates: 0 | 1): Buffer =>
    sliceOf(make, `${name}.${suffix}`, view, { kind: "slice", of, base: 0, step, alternates });
  const parity = rounds % 2;
  return {
    first: slot(of, aval, reverse ? parity : 0),
    before: half("before", reverse ? 1 : 0),
    after: half("after", reverse ? 0 : 1),
    last: slot(of, aval, reverse ? 0 : parity),
  };
}

/** A slot for each round and one more. */
function stacked(
  make: Make,
  name: string,
  aval: Aval,
  rounds: number,
  reverse: boolean,
): Carried & { readonly of: Buffer } {
  const of = make(name, { dtype: aval.dtype, shape: [rounds + 1, ...aval.shape] });
  const step = sizeOf(aval.shape) * bytesOf(aval.dtype);
  const view = { ...aval, strides: stridesOf(aval.shape) };
  const from = (suffix: string, base: number): Buffer =>
    sliceOf(make, `${name}.${suffix}`, view, { kind: "slice", of, base, step, alternates: null });
  return {
    of,
    first: slot(of, aval, reverse ? rounds : 0),
    before: from("before", reverse ? step : 0),
    after: from("after", reverse ? 0 : step),
    last: slot(of, aval, reverse ? 0 : rounds),
  };
}

/** Memory of a scan's carries, and with it that of the outputs which show them. */
export function scanMemory(eq: Equation, make: Make, stored: ReadonlySet<number>): ScanMemory {
  const {
    carries: count,
    length,
    reverse,
    kept: stacks,
  } = eq.params as ScanParams & { readonly kept?: readonly number[] };
  const [program] = eq.programs as [Program];
  const views = new Map<number, View>();
  const id = (eq.outputs[0] as Var).id;
  const others = program.outputs.length - count;
  const carries = eq.outputs.slice(0, count).map((out, i): Carried | null => {
    const value = program.outputs[i]?.value as Var;
    const place = stacks ? stacks.indexOf(i) : i;
    const kept = place < 0 ? undefined : eq.outputs[count + others + place];
    const ys = eq.outputs.slice(count, count + others).filter((y, j) => {
      const own = program.outputs[count + j]?.value.id === value.id;
      return own && stored.has(y.id);
    });
    const name = `${id}.carry${i}`;
    if (!(kept && stored.has(kept.id)) && ys.length === 0) {
      if (value.id === program.inputs[i]?.value.id) return null;
      const carried = alternating(make, name, value.aval, length, reverse);
      views.set(out.id, carried.last);
      return carried;
    }
    const carried = stacked(make, name, value.aval, length, reverse);
    const all = (v: Var, at: number): View => ({
      buffer: carried.of,
      shape: v.aval.shape,
      strides: stridesOf(v.aval.shape),
      offset: at * sizeOf(value.aval.shape),
    });
    views.set(out.id, carried.last);
    if (kept) views.set(kept.id, all(kept, reverse ? 1 : 0));
    for (const y of ys) views.set(y.id, all(y, reverse ? 0 : 1));
    return carried;
  });
  return { carries, views };
}
