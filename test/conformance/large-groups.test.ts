import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { compileStep } from "../../src/compile/step.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";

const COUNT = 40;
const names = Array.from({ length: COUNT }, (_, i) => `s${i}`);

/** Each array becomes its mean with the next one, whose old values are read: more of them than one kernel writes. */
async function meansWithTheNext(backend: Backend): Promise<number[][]> {
  const state = Object.fromEntries(
    names.map((name, i) => [name, array(Array.from({ length: 37 }, (_, j) => Math.sin(i * 37 + j)))]),
  );
  const step = await compileStep(
    backend,
    (old) => {
      const before = old as Readonly<Record<string, Tensor>>;
      const mean = (i: number): Tensor =>
        (before[`s${i}`] as Tensor).add(before[`s${(i + 1) % COUNT}`] as Tensor).mul(0.5);
      return { state: Object.fromEntries(names.map((name, i) => [name, mean(i)])) };
    },
    { state: state as unknown as Readonly<Record<string, HostArray>>, batch: {} },
  );
  await step.run({}, 3);
  const after = await step.read();
  await backend.close();
  return names.map((name) => [...(after[name] as HostArray).data]);
}

test("states that read each other's old values are not overwritten before, however many there are", async () => {
  expect(await meansWithTheNext(wasmBackend())).toEqual(await meansWithTheNext(referenceBackend()));
});
