import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OptionError } from "../core/errors.ts";
import { HostArray, zeros } from "../core/host-array.ts";
import { classCounts, dataset } from "./dataset.ts";
import { splitDataset } from "./split.ts";

const withLabels = (labels: readonly number[], classes = 4) =>
  dataset(zeros([labels.length, 1], "u8"), new HostArray("i32", [labels.length], Int32Array.from(labels)), { classes });

const labelLists = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2, maxLength: 60 });
const seeds = fc.nat();

describe("splitDataset", () => {
  test("the two lists are the data set, without a sample in both, ascending", () => {
    fc.assert(
      fc.property(labelLists, seeds, fc.nat(), fc.boolean(), (labels, seed, size, stratified) => {
        const count = size % labels.length;
        const { train, validation } = splitDataset(withLabels(labels), { validation: count, seed, stratified });
        expect(validation.length).toBe(count);
        expect([...train, ...validation].sort((a, b) => a - b)).toEqual(labels.map((_, i) => i));
        expect([...train]).toEqual([...train].sort((a, b) => a - b));
        expect([...validation]).toEqual([...validation].sort((a, b) => a - b));
      }),
    );
  });

  test("the seed alone decides", () => {
    const data = withLabels(Array.from({ length: 1000 }, (_, i) => i % 4));
    const split = (seed: number) => splitDataset(data, { validation: 100, seed }).validation;
    expect(split(1)).toEqual(split(1));
    expect(split(1)).not.toEqual(split(2));
    expect(split(1)).not.toEqual(split(1 + 2 ** 32));
    // Spread over the whole: of 100 drawn from 1000, the first half holds about 50 (standard deviation 4.7).
    const inFirstHalf = split(1).filter((index) => index < 500).length;
    expect(Math.abs(inFirstHalf - 50)).toBeLessThan(20);
  });

  test("stratified shares differ from exact proportion by less than one sample", () => {
    fc.assert(
      fc.property(labelLists, seeds, fc.nat(), (labels, seed, size) => {
        const data = withLabels(labels);
        const count = size % labels.length;
        const { validation } = splitDataset(data, { validation: count, seed, stratified: true });
        const all = classCounts(data);
        classCounts(data, validation).forEach((held, label) => {
          expect(Math.abs(held - (count * (all[label] ?? 0)) / labels.length)).toBeLessThan(1);
        });
      }),
    );
  });

  test("a fraction is rounded to a count", () => {
    const data = withLabels(new Array<number>(10).fill(0));
    expect(splitDataset(data, { validation: 0.25, seed: 0 }).validation.length).toBe(3);
    expect(splitDataset(data, { validation: 0, seed: 0 }).train.length).toBe(10);
  });

  test.each([10, 11, -1, 1.5, 0.01, 0.99, Number.NaN, Infinity])("refuses validation %s of 10", (validation) => {
    const data = withLabels(new Array<number>(10).fill(0));
    expect(() => splitDataset(data, { validation, seed: 0 })).toThrow(OptionError);
    expect(() => splitDataset(data, { validation, seed: 0 })).toThrow("a count from 1 to 9");
  });

  test("refuses a bad seed, and stratifying values", () => {
    const data = dataset(zeros([4, 1]), zeros([4, 2]));
    expect(() => splitDataset(data, { validation: 1, seed: -1 })).toThrow("got seed -1");
    expect(() => splitDataset(data, { validation: 1, seed: 1, stratified: true })).toThrow("expected labels");
    expect(splitDataset(data, { validation: 1, seed: 1 }).train.length).toBe(3);
  });
});
