import { expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { simplify } from "../../src/compile/simplify.ts";
import { aval } from "../../src/core/dtype.ts";
import { array, type HostArray } from "../../src/core/host-array.ts";
import { printProgram } from "../../src/ir/print.ts";
import type { Program, Var } from "../../src/ir/program.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { checkProgram, randomProgram, runProgram } from "../../src/testing/index.ts";
import { scan } from "../../src/trace/control.ts";
import { traceProgram } from "../../src/trace/trace.ts";

const PROGRAMS = 400;

test("a simplified program is valid, no longer, and gives the same bits", async () => {
  const backend = referenceBackend();
  let shorter = 0;
  for (let seed = 0; seed < PROGRAMS; seed++) {
    const sample = randomProgram(seed);
    // Twice, since rewrites apply to programs already rewritten.
    const program = simplify(simplify(sample.program));
    const what = `seed ${seed}\n${printProgram(sample.program)}\nbecame\n${printProgram(program)}`;
    expect(() => checkProgram(program), what).not.toThrow();
    expect(await runProgram(backend, { ...sample, program }), what).toEqual(await runProgram(backend, sample));
    if (program.equations.length < sample.program.equations.length) shorter++;
  }
  expect(shorter).toBeGreaterThan(PROGRAMS / 2);
});

/** The same results, in bits, of a function as traced and simplified twice. */
async function expectSame(
  f: (...inputs: readonly Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly HostArray[],
) {
  const backend = referenceBackend();
  const twice: Backend = {
    ...backend,
    compile: (program, store) => backend.compile(simplify(simplify(program)), store),
  };
  expect(await runFunction(twice, f, inputs)).toEqual(await runFunction(backend, f, inputs));
}

test("a scan keeps the one carry that is read, however often it is simplified", async () => {
  const traced = traceProgram([{ path: "x", aval: aval("f32", [2]), role: "feed" }], ([x]) => {
    const start = { a: (x as Tensor).mul(3), b: x as Tensor };
    const [end] = scan(
      (c: typeof start) => [{ a: c.a.add(c.b), b: c.b.mul(2) }, [] as Tensor[]],
      start,
      [] as Tensor[],
      {
        length: 3,
      },
    );
    return [{ path: "end", value: end.a, role: "result" }];
  });
  // The derivative reads stacked carries in this way.
  const second = traced.equations.find((eq) => eq.primitive === "scan")?.outputs[3] as Var;
  const program: Program = { ...traced, outputs: [{ path: "before", value: second, role: "result" }] };
  const backend = referenceBackend();
  for (const version of [program, simplify(program), simplify(simplify(program))]) {
    const executable = await backend.compile(version, backend.createStore());
    const { results } = await executable.run(1, { x: Float32Array.of(1, 10) });
    expect(results.before).toEqual(Float32Array.of(1, 10, 2, 20, 4, 40));
  }
});

test("positions that choose nothing add nothing to a sum", async () => {
  const params = {
    window: [2, 2],
    stride: [2, 2],
    padding: [
      [0, 0],
      [1, 1],
    ],
    inputShape: [1, 1, 2, 2],
  };
  await expectSame(
    (g, positions) =>
      ((g as Tensor).trace.bind("maxUnpool", params, [g as Tensor, positions as Tensor])[0] as Tensor).sum(),
    [array(Float32Array.of(1, 10), [1, 1, 1, 2]), array(Uint8Array.of(1, 3), [1, 1, 1, 2])],
  );
});
