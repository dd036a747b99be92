import { afterAll, describe, expect, test } from "vitest";
import { printProgram } from "../../src/ir/print.ts";
import {
  compareWithReference,
  type RandomProgram,
  randomProgram,
  runProgram,
  shrinkProgram,
} from "../../src/testing/index.ts";
import { absent, candidates } from "./candidates.ts";

const SIZES = [
  { size: "small", large: false, programs: 400 },
  // Enough elements that kernels are split over the threads.
  { size: "large", large: true, programs: 100 },
] as const;
const PER_TEST = 20;

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());
  const fails = async (sample: RandomProgram): Promise<boolean> =>
    (await compareWithReference(backend, sample)).mismatches.length > 0;

  describe.each(SIZES)("$size random programs", ({ large, programs }) => {
    for (let first = 0; first < programs; first += PER_TEST)
      test(`${first} to ${first + PER_TEST - 1} give the reference's results`, async () => {
        for (let seed = first; seed < first + PER_TEST; seed++) {
          const sample = randomProgram(seed, { large });
          const { compared, mismatches } = await compareWithReference(backend, sample);
          if (mismatches.length > 0) {
            const { program } = await shrinkProgram(sample, fails);
            expect(mismatches, `seed ${seed} shrinks to\n${printProgram(program)}`).toEqual([]);
          }
          expect(compared, `seed ${seed}: nothing was compared`).toBeGreaterThan(0);
        }
      });
  });
});

for (const reason of absent) test.skipIf(true)(reason, () => expect.unreachable());

const reproducible = candidates.filter((candidate) => candidate.reproducible);

test("every number of threads gives the same bits", async () => {
  expect(reproducible.length).toBeGreaterThan(1);
  const backends = reproducible.map(({ create }) => create());
  for (let seed = 0; seed < 100; seed++) {
    const sample = randomProgram(seed, { large: seed % 2 === 0 });
    const [first, ...others] = await Promise.all(backends.map((backend) => runProgram(backend, sample)));
    for (const other of others) expect(other, `seed ${seed}`).toEqual(first);
  }
  await Promise.all(backends.map((backend) => backend.close()));
});
