import type { Backend } from "../../src/compile/backend.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import { traceProgram } from "../../src/trace/trace.ts";

export type Feeds = Readonly<Record<string, HostArray>>;
export type TracedFeeds = (name: string) => Tensor;

/** Traces `f` on named feeds, runs one step, and returns its named results. */
export async function run(
  backend: Backend,
  feeds: Feeds,
  f: (feed: TracedFeeds) => Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, ArrayLike<number>>>> {
  const names = Object.keys(feeds);
  const program = traceProgram(
    Object.entries(feeds).map(([path, value]) => ({ path, aval: value.aval, role: "feed" })),
    (tensors) =>
      Object.entries(f((name) => tensors[names.indexOf(name)] as Tensor)).map(([path, value]) => ({
        path,
        value,
        role: "result",
      })),
  );
  const executable = await backend.compile(program, backend.createStore());
  const single = backend.name === "reference-f64" ? (x: HostArray) => x.data : inSingle;
  const { results } = await executable.run(
    1,
    Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, single(value)])),
  );
  return results;
}

const inSingle = ({ data }: HostArray): HostArray["data"] =>
  data instanceof Float64Array ? Float32Array.from(data) : data;
