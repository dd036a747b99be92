import { afterAll, describe, expect, test } from "vitest";
import { runFunction } from "../../src/compile/run-function.ts";
import { candidates } from "./candidates.ts";
import { exactCases } from "./cases.ts";

describe.each(candidates)("$name", ({ create }) => {
  const backend = create();
  afterAll(() => backend.close());

  test.each(exactCases)("$name", async ({ f, inputs, expected }) => {
    const results = await runFunction(backend, f, inputs);
    // -0 and 0 are one value here.
    expect(results.map(({ data }) => Array.from(data, (x) => x + 0))).toEqual(expected);
  });
});
