import { expect, test } from "vitest";
import { checkProgram, referenceBackend } from "../backends/reference/index.ts";
import { printProgram } from "../ir/print.ts";
import { primitiveNames } from "../ops/table.ts";
import { compareWithReference } from "./compare.ts";
import { randomProgram } from "./random-program.ts";

const SEEDS = Array.from({ length: 300 }, (_, seed) => seed);

test("programs are valid, and together hold every primitive and every kind of control flow", () => {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const { program } = randomProgram(seed);
    checkProgram(program);
    for (const { primitive } of program.equations) seen.add(primitive);
  }
  expect([...primitiveNames, "scan", "while", "cond", "call"].filter((name) => !seen.has(name))).toEqual([]);
});

test("the same seed gives the same program and values", () => {
  const [a, b] = [randomProgram(11), randomProgram(11)];
  expect(printProgram(a.program)).toBe(printProgram(b.program));
  expect(a.feeds).toEqual(b.feeds);
  expect(printProgram(randomProgram(12).program)).not.toBe(printProgram(a.program));
});

test("nearly all results are stable enough to compare, and the reference agrees with itself", async () => {
  let compared = 0;
  let unstable = 0;
  for (const seed of SEEDS.slice(0, 150)) {
    const comparison = await compareWithReference(referenceBackend(), randomProgram(seed));
    expect(comparison.mismatches).toEqual([]);
    compared += comparison.compared;
    unstable += comparison.unstable.length;
  }
  expect(compared).toBeGreaterThan(600);
  expect(unstable / compared).toBeLessThan(0.05);
});
