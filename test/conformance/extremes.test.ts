import { describe, expect, test } from "vitest";
import { runFunction } from "../../src/compile/run-function.ts";
import { array } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { candidates } from "./candidates.ts";

const special = [Number.NaN, -0, 0, 1, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** -126, -3];
/** Enough for unrolled vectors, and a rest. */
const many = Array.from({ length: 61 }, (_, i) => special[i % special.length] as number);

describe.each(candidates)("$name", ({ create }) => {
  test.each(special)("greatest and smallest of anything and %d, as a scalar and as a constant", async (edge) => {
    const backend = create();
    const [greatest, smallest, greatestOf, smallestOf] = await runFunction(
      backend,
      (...inputs) => {
        const [x, b] = inputs as [Tensor, Tensor];
        const same = x.full(edge, [], "f32");
        return [x.maximum(b), b.minimum(x), x.maximum(same), same.minimum(x)];
      },
      [array(many), array(edge, [])],
    );
    const max = many.map((x) => Math.max(x, edge));
    const min = many.map((x) => Math.min(x, edge));
    // toEqual tells -0 from 0.
    expect([...(greatest?.data ?? [])]).toEqual(max);
    expect([...(greatestOf?.data ?? [])]).toEqual(max);
    expect([...(smallest?.data ?? [])]).toEqual(min);
    expect([...(smallestOf?.data ?? [])]).toEqual(min);
    await backend.close();
  });
});
