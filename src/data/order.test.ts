import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../core/errors.ts";
import { batchesOf, epochOrder } from "./order.ts";

const range = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

describe("epochOrder", () => {
  test("each epoch is a permutation of the indices", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(1000), fc.int32Array({ maxLength: 50 }), (seed, epoch, indices) => {
        const order = epochOrder(seed, epoch, indices);
        expect([...order].sort((a, b) => a - b)).toEqual([...indices].sort((a, b) => a - b));
      }),
    );
  });

  test("depends on seed and epoch, and on nothing drawn before", () => {
    const seventh = epochOrder(5, 7, range(100));
    epochOrder(5, 8, range(100));
    expect(epochOrder(5, 7, range(100))).toEqual(seventh);
    expect(epochOrder(5, 8, range(100))).not.toEqual(seventh);
    expect(epochOrder(6, 7, range(100))).not.toEqual(seventh);
  });

  test("every place is equally likely (chi-squared over 2,000 epochs of 8)", () => {
    const counts = new Float64Array(64);
    for (let epoch = 0; epoch < 2000; epoch++)
      epochOrder(3, epoch, range(8)).forEach((value, place) => {
        counts[value * 8 + place] = (counts[value * 8 + place] ?? 0) + 1;
      });
    const chiSquared = counts.reduce((sum, count) => sum + (count - 250) ** 2 / 250, 0);
    // 49 degrees of freedom: mean 49, standard deviation 9.9.
    expect(chiSquared).toBeLessThan(100);
    expect(chiSquared).toBeGreaterThan(15);
  });

  test("refuses what is no epoch or seed", () => {
    expect(() => epochOrder(1, -1, range(2))).toThrow("got epoch -1");
    expect(() => epochOrder(1.5, 0, range(2))).toThrow("got seed 1.5");
  });
});

describe("batchesOf", () => {
  test("batches are the order cut up; only the last may be short", () => {
    fc.assert(
      fc.property(fc.int32Array({ maxLength: 40 }), fc.integer({ min: 1, max: 12 }), (order, size) => {
        const batches = batchesOf(order, size);
        expect(batches.flatMap((batch) => [...batch])).toEqual([...order]);
        for (const batch of batches.slice(0, -1)) expect(batch.length).toBe(size);
        const full = batchesOf(order, size, { dropLast: true });
        expect(full).toEqual(batches.filter((batch) => batch.length === size));
      }),
    );
  });

  test("batches are views", () => {
    const order = range(5);
    expect(batchesOf(order, 2)[2]?.buffer).toBe(order.buffer);
  });

  test.each([0, -1, 1.5, Number.NaN])("refuses batch size %s", (size) => {
    expect(() => batchesOf(range(3), size)).toThrow(OptionError);
  });
});
