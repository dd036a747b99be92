import { afterAll, describe, expect, test } from "vitest";
import type { Backend, Executable, Store } from "../../src/compile/backend.ts";
import { aval } from "../../src/core/dtype.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Program } from "../../src/ir/program.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { traceProgram } from "../../src/trace/trace.ts";
import { candidates } from "./candidates.ts";

type Tensors = Readonly<Record<string, Tensor>>;
type Step = (state: Tensors, feeds: Tensors) => { readonly state?: Tensors; readonly results?: Tensors };

function stepProgram(
  state: Readonly<Record<string, HostArray>>,
  feeds: Readonly<Record<string, readonly number[]>>,
  f: Step,
): Program {
  const states = Object.keys(state);
  return traceProgram(
    [
      ...Object.entries(state).map(([path, value]) => ({ path, aval: value.aval, role: "state" as const })),
      ...Object.entries(feeds).map(([path, shape]) => ({ path, aval: aval("f32", shape), role: "feed" as const })),
    ],
    (tensors) => {
      const named = (names: readonly string[], from: number): Tensors =>
        Object.fromEntries(names.map((name, i) => [name, tensors[from + i] as Tensor]));
      const made = f(named(states, 0), named(Object.keys(feeds), states.length));
      return [
        ...Object.entries(made.state ?? {}).map(([path, value]) => ({ path, value, role: "state" as const })),
        ...Object.entries(made.results ?? {}).map(([path, value]) => ({ path, value, role: "result" as const })),
      ];
    },
  );
}

type Made = { readonly executable: Executable; readonly store: Store };

async function prepare(
  backend: Backend,
  state: Readonly<Record<string, HostArray>>,
  feeds: Readonly<Record<string, readonly number[]>>,
  f: Step,
): Promise<Made> {
  const store = backend.createStore();
  for (const [path, value] of Object.entries(state)) store.write(path, value);
  return { executable: await backend.compile(stepProgram(state, feeds, f), store), store };
}

const numbers = async (store: Store, path: string): Promise<number[]> => Array.from((await store.read(path)).data);
const matrix = (...values: number[]): HostArray =>
  array(Float32Array.from(values), [Math.sqrt(values.length), Math.sqrt(values.length)]);

type Four = readonly [number, number, number, number];

/** An update of one square matrix that reads elements other than the one it writes, and what three steps make of it. */
const readsElsewhere: readonly (readonly [string, (w: Tensor) => Tensor, (w: Four) => Four])[] = [
  ["transpose", (w) => w.transpose(), ([a, b, c, d]) => [a, c, b, d]],
  ["flip", (w) => w.flip([0, 1]), ([a, b, c, d]) => [d, c, b, a]],
  [
    "roll",
    (w) =>
      w
        .reshape([4])
        .narrow(0, 1, 3)
        .concat([w.reshape([4]).narrow(0, 0, 1)], 0)
        .reshape([2, 2]),
    ([a, b, c, d]) => [b, c, d, a],
  ],
  ["shift", (w) => w.pad([1, 0], [0, 0]).narrow(0, 0, 2).add(w), ([a, b, c, d]) => [a, b, c + a, d + b]],
  [
    "plus its sum",
    (w) => w.add(w.sum()),
    ([a, b, c, d]) => [b + c + d + 2 * a, a + c + d + 2 * b, a + b + d + 2 * c, a + b + c + 2 * d],
  ],
  ["over its row sums", (w) => w.sub(w.sum(1, { keepDims: true })), ([a, b, c, d]) => [-b, -a, -d, -c]],
  [
    "matrix product with itself",
    (w) => w.matmul(w),
    ([a, b, c, d]) => [a * a + b * c, a * b + b * d, c * a + d * c, c * b + d * d],
  ],
  [
    "gather of its rows",
    (w) => w.gather(w.constant(array(Int32Array.of(1, 0)))).add(w),
    ([a, b, c, d]) => [a + c, b + d, c + a, d + b],
  ],
  [
    "broadcast of its first element",
    (w) => w.slice([0, 0], [1, 1]).add(w),
    ([a, b, c, d]) => [a + a, a + b, a + c, a + d],
  ],
];

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test.each(readsElsewhere)("a state updated by %s reads only old values", async (_, update, model) => {
    const { executable, store } = await prepare(backend, { w: matrix(1, 2, 3, 5) }, {}, ({ w }) => ({
      state: { w: update(w as Tensor) },
    }));
    await executable.run(1, {});
    const once = model([1, 2, 3, 5]);
    expect(await numbers(store, "w")).toEqual(once);
    await executable.run(2, {});
    expect(await numbers(store, "w")).toEqual(model(model(once)));
  });

  test("states swap, and one feeds the other", async () => {
    const { executable, store } = await prepare(backend, { a: array([1, 2]), b: array([3, 4]) }, {}, ({ a, b }) => ({
      state: { a: b as Tensor, b: (a as Tensor).add(b as Tensor) },
    }));
    await executable.run(3, {});
    // (a, b) -> (b, a + b), three times.
    expect(await numbers(store, "a")).toEqual([7, 10]);
    expect(await numbers(store, "b")).toEqual([11, 16]);
  });

  test("two states take the same value, and stay apart afterwards", async () => {
    const { executable, store } = await prepare(
      backend,
      { a: array([1, 2]), b: array([3, 4]) },
      { x: [2] },
      (s, { x }) => {
        const sum = (s.a as Tensor).add(x as Tensor);
        return { state: { a: sum, b: sum } };
      },
    );
    await executable.run(2, { x: Float32Array.of(1, 1, 10, 10) });
    expect(await numbers(store, "a")).toEqual([12, 13]);
    store.write("a", array([0, 0]));
    expect(await numbers(store, "b")).toEqual([12, 13]);
  });

  test("a state may become a feed, and the caller's buffer stays its own", async () => {
    const { executable, store } = await prepare(backend, { a: array([1, 2]) }, { x: [2] }, ({ a }, { x }) => ({
      state: { a: x as Tensor },
      results: { old: a as Tensor },
    }));
    const x = Float32Array.of(5, 6, 7, 8);
    const { results } = await executable.run(2, { x });
    x.fill(0);
    expect(Array.from(results.old ?? [])).toEqual([1, 2, 5, 6]);
    expect(await numbers(store, "a")).toEqual([7, 8]);
  });

  test("results hold the values of their step, before the state's update and after", async () => {
    const { executable } = await prepare(backend, { w: array([2, 3]) }, { rate: [] }, ({ w }, { rate }) => {
      const next = (w as Tensor).mul(rate as Tensor);
      return {
        state: { w: next },
        results: { before: w as Tensor, after: next, total: next.sum(), rate: rate as Tensor },
      };
    });
    const { results } = await executable.run(3, { rate: Float32Array.of(2, 3, 4) });
    expect(Array.from(results.before ?? [])).toEqual([2, 3, 4, 6, 12, 18]);
    expect(Array.from(results.after ?? [])).toEqual([4, 6, 12, 18, 48, 72]);
    expect(Array.from(results.total ?? [])).toEqual([10, 30, 120]);
    expect(Array.from(results.rate ?? [])).toEqual([2, 3, 4]);
  });

  test("results of one call are not changed by the next", async () => {
    const { executable } = await prepare(backend, { n: array([0]) }, {}, ({ n }) => {
      const next = (n as Tensor).add(1);
      return { state: { n: next }, results: { next } };
    });
    const first = (await executable.run(2, {})).results.next;
    await executable.run(2, {});
    expect(Array.from(first ?? [])).toEqual([1, 2]);
  });

  test("programs share a store; writes between runs are seen; bytes and integers are states too", async () => {
    const state = {
      w: array([1, 2]),
      u: array(Uint8Array.of(250, 3)),
      n: array(5, [], "i32"),
      on: array([1, 0], [2], "bool"),
    };
    const { executable, store } = await prepare(backend, state, {}, ({ w, u, n, on }) => ({
      state: {
        w: (w as Tensor).add((u as Tensor).cast("f32")),
        u: (on as Tensor).select((u as Tensor).cast("i32").add(1), 0).cast("u8"),
        n: (n as Tensor).add(1),
        on: (on as Tensor).not(),
      },
    }));
    const reading = await backend.compile(
      stepProgram(state, {}, ({ w, n }) => ({ results: { y: (w as Tensor).mul((n as Tensor).cast("f32")) } })),
      store,
    );
    await executable.run(1, {});
    expect(Array.from((await reading.run(1, {})).results.y ?? [])).toEqual([6 * 251, 6 * 5]);
    expect([await numbers(store, "u"), await numbers(store, "on"), await numbers(store, "n")]).toEqual([
      [251, 0],
      [0, 1],
      [6],
    ]);
    store.write("w", array([-1, 1]));
    expect(Array.from((await reading.run(1, {})).results.y ?? [])).toEqual([-6, 6]);
  });

  test("a timed run splits its time over the phases and gives the same bits", async () => {
    const make = () =>
      prepare(backend, { w: array([0.3, 0.7, 0.1]) }, {}, ({ w }) => ({
        state: { w: (w as Tensor).exp().div((w as Tensor).exp().sum()) },
      }));
    const [plain, timed] = [await make(), await make()];
    await plain.executable.run(3, {});
    const { timeByPhase } = await timed.executable.run(3, {}, { timed: true });
    expect(await numbers(timed.store, "w")).toEqual(await numbers(plain.store, "w"));
    expect(Object.keys(timeByPhase ?? {}).sort()).toEqual(["backward", "forward", "sample", "update"]);
    expect((await plain.executable.run(1, {})).timeByPhase).toBeUndefined();
  });
});
