import { HostArray } from "../core/host-array.ts";
import type { Tensor } from "../ops/tensor.ts";
import { traceProgram } from "../trace/trace.ts";
import type { Backend, Feeds } from "./backend.ts";

/**
 * Traces a function, compiles it and runs it once on host arrays: for tests, tools and looking at a value.
 *
 * @example
 * const [y] = await runFunction(backend, (x) => x.mul(2).sum(), [array([1, 2, 3])]);
 * y.item() // -> 12
 */
export async function runFunction(
  backend: Backend,
  f: (...inputs: readonly Tensor[]) => Tensor | readonly Tensor[],
  inputs: readonly HostArray[],
): Promise<HostArray[]> {
  const program = traceProgram(
    inputs.map((input, i) => ({ path: `x${i}`, aval: input.aval, role: "feed" as const })),
    (tensors) => {
      const result = f(...tensors);
      const list = Array.isArray(result) ? (result as readonly Tensor[]) : [result as Tensor];
      return list.map((value, i) => ({ path: `y${i}`, value, role: "result" as const }));
    },
  );
  const executable = await backend.compile(program, backend.createStore());
  const feeds: Record<string, Feeds[string]> = {};
  inputs.forEach((input, i) => {
    feeds[`x${i}`] = input.data;
  });
  const { results } = await executable.run(1, feeds);
  return program.outputs.map(
    ({ path, value }) => new HostArray(value.aval.dtype, value.aval.shape, results[path] as Feeds[string]),
  );
}
