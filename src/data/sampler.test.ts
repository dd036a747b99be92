import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { array } from "../core/host-array.ts";
import { balancedSampler, type Sampler, stratifiedSampler, weightedSampler } from "./sampler.ts";

const upTo = (n: number): Int32Array => Int32Array.from({ length: n }, (_, i) => i);
const labelled = (labels: readonly number[]) => ({
  targets: array(Int32Array.from(labels)),
  classes: ["a", "b", "c", "d"],
});
/** 60 of class 0, 30 of class 1, 10 of class 2, none of class 3. */
const uneven = labelled([...upTo(100)].map((i) => (i % 10 < 6 ? 0 : i % 10 < 9 ? 1 : 2)));
const labelOf = (i: number): number => uneven.targets.data[i] as number;
const counts = (order: Iterable<number>): number[] => {
  const out = [0, 0, 0, 0];
  for (const i of order) out[labelOf(i)] = (out[labelOf(i)] as number) + 1;
  return out;
};

describe("samplers", () => {
  const samplers: Record<string, Sampler> = {
    balanced: balancedSampler(uneven),
    stratified: stratifiedSampler(uneven),
    weighted: weightedSampler([...upTo(100)].map((i) => 1 + (i % 3))),
  };

  for (const [name, sampler] of Object.entries(samplers))
    it(`${name}: depends on the seed, the epoch and the indices alone`, () => {
      const order = sampler.order(1, 2, upTo(100));
      expect(order).toHaveLength(100);
      expect(sampler.order(1, 2, upTo(100))).toEqual(order);
      expect(sampler.order(1, 3, upTo(100))).not.toEqual(order);
      expect(sampler.order(2, 2, upTo(100))).not.toEqual(order);
      const part = upTo(100).filter((i) => i % 2 === 1);
      expect([...sampler.order(1, 2, part)].every((i) => i % 2 === 1)).toBe(true);
      expect(sampler.order(1, 2, part)).toHaveLength(50);
    });

  it("balanced: as many of each class that there is, the rare ones several times, no sample of a class missed", () => {
    const { balanced } = samplers as { balanced: Sampler };
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 2; epoch++) {
      const order = balanced.order(1, epoch, upTo(100));
      expect(counts(order)).toEqual([34, 33, 33, 0]);
      for (const i of order) seen.add(i);
      // A round through a class is over before anything of it comes again.
      const rare = upTo(100).filter((i) => labelOf(i) === 2);
      const times = [...rare].map((i) => order.filter((j) => j === i).length);
      expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
    }
    expect(seen.size).toBe(100);
  });

  it("stratified: every sample once, each batch with the classes' shares but for one or two", () =>
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(5), fc.integer({ min: 5, max: 50 }), (seed, epoch, size) => {
        const order = stratifiedSampler(uneven).order(seed, epoch, upTo(100));
        expect([...order].sort((a, b) => a - b)).toEqual([...upTo(100)]);
        for (let at = 0; at + size <= 100; at += size) {
          const got = counts(order.subarray(at, at + size));
          [0.6, 0.3, 0.1].forEach((share, label) => {
            expect(Math.abs((got[label] as number) - share * size)).toBeLessThan(2);
          });
        }
      }),
    ));

  it("weighted: draws in proportion to the weights, never what weighs nothing", () => {
    const sampler = weightedSampler([0, 1, 3, 0]);
    const drawn = [0, 0, 0, 0];
    for (let epoch = 0; epoch < 1000; epoch++)
      for (const i of sampler.order(7, epoch, upTo(4))) drawn[i] = (drawn[i] as number) + 1;
    expect([drawn[0], drawn[3]]).toEqual([0, 0]);
    // 4,000 draws: a standard deviation of 27.
    expect(Math.abs((drawn[2] as number) - 3000)).toBeLessThan(110);
  });

  it("refuses what it cannot draw from", () => {
    const values = { targets: array([0.5, 1.5]), name: "prices" };
    expect(() => balancedSampler(values)).toThrow("balancedSampler: prices has values as targets; expected labels");
    expect(() => stratifiedSampler(values)).toThrow("stratifiedSampler: prices has values");
    expect(() => weightedSampler([1, -1])).toThrow("got the weight -1 at 1");
    expect(() => weightedSampler([1, Number.NaN])).toThrow("got the weight NaN at 1");
    expect(() => weightedSampler([0, 0]).order(1, 0, upTo(2))).toThrow("got weights of 0 for all samples");
  });
});
