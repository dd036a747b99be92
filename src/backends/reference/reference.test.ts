import { describe, expect, test } from "vitest";
import type { Backend } from "../../compile/backend.ts";
import { aval } from "../../core/dtype.ts";
import { DataError, OptionError, ShapeError } from "../../core/errors.ts";
import { array } from "../../core/host-array.ts";
import type { Program } from "../../ir/program.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { call, cond, scan, whileLoop } from "../../trace/control.ts";
import { grad } from "../../trace/grad.ts";
import { traceProgram } from "../../trace/trace.ts";
import { referenceBackend } from "./index.ts";

/** A program over f32 feeds x and i32 feeds n whose only result is y. */
const program = (shape: readonly number[], f: (x: Tensor, n: Tensor) => Tensor): Program =>
  traceProgram(
    [
      { path: "x", aval: aval("f32", shape), role: "feed" },
      { path: "n", aval: aval("i32", []), role: "feed" },
    ],
    ([x, n]) => [{ path: "y", value: f(x as Tensor, n as Tensor), role: "result" }],
  );

async function evaluate(
  backend: Backend,
  shape: readonly number[],
  x: readonly number[],
  f: (x: Tensor, n: Tensor) => Tensor,
  n = 0,
): Promise<number[]> {
  const executable = await backend.compile(program(shape, f), backend.createStore());
  const { results } = await executable.run(1, { x: Float64Array.from(x), n: Int32Array.of(n) });
  return Array.from(results.y ?? []);
}

const single = referenceBackend();
const double = referenceBackend({ precision: "f64" });

describe("precision", () => {
  test("f32 rounds constants and results; f64 keeps every digit", async () => {
    const third = (x: Tensor): Tensor => x.mul(0.1).div(3);
    expect(await evaluate(single, [1], [1], third)).toEqual([Math.fround(Math.fround(0.1) / 3)]);
    expect(await evaluate(double, [1], [1], third)).toEqual([0.1 / 3]);
  });
  test("f64 holds the store's values as given", async () => {
    const store = double.createStore();
    store.write("w", array(Float64Array.of(0.1), [1], "f32"));
    expect((await store.read("w")).data).toEqual(Float64Array.of(0.1));
    const rounded = single.createStore();
    rounded.write("w", array(Float64Array.of(0.1), [1], "f32"));
    expect((await rounded.read("w")).data).toEqual(Float32Array.of(0.1));
  });
});

describe("control flow", () => {
  test("scan carries, stacks, captures and runs in reverse", async () => {
    const running = (reverse: boolean) => (x: Tensor, n: Tensor) => {
      const step = n.cast("f32");
      const [total, totals] = scan((sum: Tensor, v: Tensor) => [sum.mul(step).add(v), sum.add(v)], x.full(0), x, {
        reverse,
      });
      return totals.concat([total.unsqueeze(0)], 0);
    };
    expect(await evaluate(single, [3], [1, 2, 3], running(false), 2)).toEqual([1, 3, 7, 11]);
    expect(await evaluate(single, [3], [1, 2, 3], running(true), 2)).toEqual([9, 5, 3, 17]);
  });
  test("the gradient of a scan", async () => {
    // x0³ summed through a carry: c' = c x0 for three steps from x1: c = x1 x0³.
    const f = (x: Tensor): Tensor =>
      grad((p: Tensor) => {
        const [first, second] = [p.narrow(0, 0, 1).reshape([]), p.narrow(0, 1, 1).reshape([])];
        const [end] = scan((c: Tensor) => [c.mul(first), [] as Tensor[]], second, [] as Tensor[], { length: 3 });
        return end;
      })(x);
    expect(await evaluate(double, [2], [2, 5], f)).toEqual([60, 8]);
  });
  test("while runs until its captured bound", async () => {
    const doubleUntil = (x: Tensor, n: Tensor): Tensor =>
      whileLoop(
        (c: { v: Tensor; i: Tensor }) => c.i.less(n),
        (c) => ({ v: c.v.add(x.sum()), i: c.i.add(1) }),
        { v: x, i: n.full(0) },
      ).v;
    expect(await evaluate(single, [2], [1, 2], doubleUntil, 4)).toEqual([13, 14]);
    expect(await evaluate(single, [2], [1, 2], doubleUntil, 0)).toEqual([1, 2]);
  });
  test("cond takes one branch, with what that branch captures", async () => {
    const f = (x: Tensor, n: Tensor): Tensor =>
      cond(
        n.greater(0),
        (v: Tensor) => v.mul(n.cast("f32")),
        (v) => v.add(x.sum()),
        x,
      );
    expect(await evaluate(single, [2], [1, 2], f, 5)).toEqual([5, 10]);
    expect(await evaluate(single, [2], [1, 2], f, 0)).toEqual([4, 5]);
  });
  test("call runs its block", async () => {
    expect(await evaluate(single, [2], [1, 2], (x) => call("twice", (v: Tensor) => v.add(v), x))).toEqual([2, 4]);
  });
});

describe("runs", () => {
  const counting = traceProgram(
    [
      { path: "state.w", aval: aval("f32", [2]), role: "state" },
      { path: "data.d", aval: aval("u8", [2]), role: "data" },
      { path: "rate", aval: aval("f32", []), role: "feed" },
    ],
    ([w, d, rate]) => {
      const next = (w as Tensor).add((d as Tensor).cast("f32").mul(rate as Tensor));
      return [
        { path: "state.w", value: next, role: "state" },
        { path: "before", value: (w as Tensor).sum(), role: "result" },
      ];
    },
  );
  const prepared = () => {
    const store = single.createStore();
    store.write("state.w", array([0, 1]));
    store.write("data.d", array(Uint8Array.of(1, 2)));
    return store;
  };

  test("several steps: feeds by step, state replaced, results gathered", async () => {
    const store = prepared();
    const { results } = await (await single.compile(counting, store)).run(3, { rate: Float32Array.of(1, 10, 100) });
    expect(Array.from(results.before ?? [])).toEqual([1, 4, 34]);
    expect((await store.read("state.w")).data).toEqual(Float32Array.of(111, 223));
  });
  test("a state that is fed on is not the caller's buffer", async () => {
    const passing = traceProgram([{ path: "x", aval: aval("f32", [1]), role: "feed" }], ([x]) => [
      { path: "state.x", value: x as Tensor, role: "state" },
    ]);
    const store = single.createStore();
    const x = Float32Array.of(7);
    await (await single.compile(passing, store)).run(1, { x });
    x[0] = 8;
    expect((await store.read("state.x")).item()).toBe(7);
  });
  test("a timed run splits its first step by phase and gives the same values", async () => {
    const store = prepared();
    const report = await (await single.compile(counting, store)).run(1, { rate: Float32Array.of(2) }, { timed: true });
    expect((await store.read("state.w")).data).toEqual(Float32Array.of(2, 5));
    expect(report.timeByPhase?.forward).toBeGreaterThan(0);
    expect(report.timeByPhase?.update).toBe(0);
  });
  test("peak bytes count what is alive at once", async () => {
    // y = exp(x) and z = exp(y) overlap, 2 x 400 bytes; the sums come after.
    const p = program([100], (x) => x.exp().exp().sum());
    expect((await single.compile(p, single.createStore())).peakBytes).toBe(800);
    expect((await double.compile(p, double.createStore())).peakBytes).toBe(1600);
  });
  test("print says what its levels are", async () => {
    const executable = await single.compile(counting, prepared());
    expect(executable.print("kernels")).toMatch(/^# reference: nothing is fused.*\nprogram\(state\.w %0:f32\[2\]/);
    expect(executable.print("target")).toMatch(/^# reference: no target code/);
  });
});

describe("errors", () => {
  const failing = async (f: () => Promise<unknown>): Promise<unknown> => f().catch((error: unknown) => error);
  const p = program([2], (x) => x);
  test("feeds of the wrong length", async () => {
    const executable = await single.compile(p, single.createStore());
    const error = await failing(() => executable.run(2, { x: new Float32Array(2), n: new Int32Array(2) }));
    expect(error).toBeInstanceOf(ShapeError);
    expect(String(error)).toContain("run: got 2 values for feed x; expected 4, f32[2] for each of 2 steps.");
  });
  test("values that are missing or of another type", async () => {
    const store = single.createStore();
    store.write("w", array([1, 2]));
    expect(() => store.write("w", array([1]))).toThrow("got f32[1] for w; expected f32[2]");
    expect(await failing(() => store.read("v"))).toBeInstanceOf(DataError);
    const needs = traceProgram([{ path: "w", aval: aval("i32", [2]), role: "state" }], ([w]) => [
      { path: "y", value: w as Tensor, role: "result" },
    ]);
    expect(await failing(() => single.compile(needs, store))).toBeInstanceOf(ShapeError);
  });
  test("an invalid program", async () => {
    const program: Program = {
      ...p,
      equations: p.equations.slice(1),
      outputs: [{ path: "y", value: { id: 99, aval: aval("f32", [2]) }, role: "result" }],
    };
    expect(String(await failing(() => single.compile(program, single.createStore())))).toContain(
      "output y: got %99 undefined",
    );
  });
  test("a store of another backend", async () => {
    expect(await failing(() => double.compile(p, single.createStore()))).toBeInstanceOf(OptionError);
  });
});
