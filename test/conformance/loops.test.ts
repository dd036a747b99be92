import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { compileStep } from "../../src/compile/step.ts";
import { array } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { scan, whileLoop } from "../../src/trace/control.ts";
import { grad } from "../../src/trace/grad.ts";
import { candidates } from "./candidates.ts";

const wave = (...shape: readonly number[]) =>
  array(
    Float32Array.from({ length: shape.reduce((n, size) => n * size, 1) }, (_, i) => Math.sin(i)),
    shape,
  );

/** h <- tanh(h Wᵀ / 64 + x_t) over the rows of xs. */
async function recurrence(backend: Backend) {
  const step = await compileStep(
    backend,
    (state) => {
      const { w, h, xs } = state as { readonly w: Tensor; readonly h: Tensor; readonly xs: Tensor };
      const body = (carry: Tensor, x: Tensor): readonly [Tensor, Tensor] => {
        const next = carry
          .matmul(w.transpose())
          .mul(1 / 64)
          .add(x)
          .tanh();
        return [next, next];
      };
      const [last, all] = scan(body, h, xs);
      return { state: { w, h: last, xs }, metrics: { all } };
    },
    { state: { w: wave(96, 96), h: wave(33, 96), xs: wave(5, 33, 96) }, batch: {} },
  );
  const results = [];
  for (let i = 0; i < 2; i++) results.push(Array.from((await step.run({})).results.all ?? []));
  return { results, kernels: step.executable.print("kernels") };
}

test("what is the same in every round of a scan is computed before it, and slices are read where they lie", async () => {
  const [got, want] = await Promise.all([recurrence(wasmBackend()), recurrence(referenceBackend())]);
  got.results.forEach((values, call) => {
    values.forEach((value, i) => {
      expect(Math.abs(value - (want.results[call]?.[i] ?? Number.NaN)), `${call}, ${i}`).toBeLessThan(2e-6);
    });
  });
  const [before = "", inside = ""] = got.kernels.split(/^loop /m);
  expect(before).toMatch(/pack state\.w/);
  expect(inside).not.toContain("pack state.w");
  expect(got.kernels).not.toContain(".xs0");
});

type Loop = (x: Tensor, w: Tensor) => Tensor;

/** Each gives one array of what a loop computes from f32[T, 8, 24] and f32[24, 24], in one way of reading and handing on. */
const loopsOf: Readonly<Record<string, Loop>> = {
  "states before and after each round": (x, w) => {
    const [last, all] = scan(
      (h: Tensor, x: Tensor) => {
        const next = h.matmul(w).add(x).tanh();
        return [next, next] as const;
      },
      zerosOf(x),
      x,
    );
    return last.add(all.sum(0)).add(grad((w: Tensor) => scanned(x, w, false).sum())(w).sum());
  },
  "from the last": (x, w) => scanned(x, w, true),
  "values that change places": (x) => {
    const first = { a: zerosOf(x), b: zerosOf(x).add(1) };
    const [{ a, b }, sums] = scan(({ a, b }, x: Tensor) => [{ a: b, b: a }, a.mul(x)] as const, first, x);
    return a.mul(2).add(b).add(sums.sum(0));
  },
  "a value that stays and one of which each is kept": (x) => {
    const first = { a: zerosOf(x).add(0.5), b: zerosOf(x) };
    const [{ a, b }, each] = scan(
      ({ a, b }, x: Tensor) =>
        [
          { a, b: b.add(x.mul(a)) },
          { a, b },
        ] as const,
      first,
      x,
    );
    return each.a.sum(0).add(each.b.mul(each.b).sum(0)).add(a.mul(b));
  },
  "elements that lie apart": (x, w) => {
    const turned = x.transpose([2, 1, 0]).narrow(0, 3, 9);
    const [last] = scan((h: Tensor, x: Tensor) => [h.mul(0.5).add(x), h] as const, turned.sum(0).mul(0), turned);
    return last.sum().add(w);
  },
  "a loop within a loop, over its elements": (x) => {
    const [last, all] = scan(
      (h: Tensor, x: Tensor) => {
        const [inner, sums] = scan(
          (h: Tensor, row: Tensor) => {
            const next = h.mul(0.5).add(row);
            return [next, next] as const;
          },
          h,
          x,
        );
        return [inner.tanh(), sums] as const;
      },
      x.sum([0, 1]).mul(0.1),
      x,
    );
    return all.sum(0).add(last);
  },
  "as long as it holds": (x) => {
    const first = { h: x.sum(0), other: x.narrow(0, 0, 1).squeeze(0), round: x.full(0, []), fixed: x.sum(0) };
    const count = x.shape[0] as number;
    const end = whileLoop(
      ({ round }) => round.less(count),
      ({ h, other, round, fixed }) => ({ h: other.mul(0.5).add(fixed), other: h, round: round.add(1), fixed }),
      first,
    );
    return end.h.add(end.other.mul(3)).add(end.fixed).add(end.round);
  },
};

const zerosOf = (x: Tensor): Tensor => x.full(0, x.shape.slice(1));

function scanned(x: Tensor, w: Tensor, reverse: boolean): Tensor {
  const body = (carry: { readonly h: Tensor; readonly c: Tensor }, x: Tensor) => {
    const h = carry.h.matmul(w).add(x).tanh();
    return [{ h, c: carry.c.mul(0.5).add(h) }, h] as const;
  };
  const [{ h, c }, all] = scan(body, { h: zerosOf(x), c: zerosOf(x).add(1) }, x, { reverse });
  return all.mul(all).sum(0).add(h.mul(c));
}

async function resultOf(backend: Backend, loop: Loop, rounds: number): Promise<readonly number[]> {
  const step = await compileStep(
    backend,
    (state) => {
      const { x, w } = state as { readonly x: Tensor; readonly w: Tensor };
      return { metrics: { out: loop(x, w) } };
    },
    { state: { x: wave(rounds, 8, 24), w: wave(24, 24) }, batch: {} },
  );
  await step.run({});
  const out = Array.from((await step.run({})).results.out ?? []);
  await backend.close?.();
  return out;
}

for (const [name, loop] of Object.entries(loopsOf))
  test.each([1, 2, 5])(`${name}: %d rounds`, async (rounds) => {
    const want = await resultOf(referenceBackend(), loop, rounds);
    expect(want.length).toBeGreaterThan(0);
    for (const { name, create } of candidates.filter(({ name }) => name !== "reference")) {
      const got = await resultOf(create(), loop, rounds);
      got.forEach((value, i) => {
        expect(Math.abs(value - (want[i] as number)), `${name}, ${i}`).toBeLessThan(
          1e-4 * (1 + Math.abs(want[i] as number)),
        );
      });
      expect(got.length).toBe(want.length);
    }
  });
