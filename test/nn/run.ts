import type { Backend } from "../../src/compile/backend.ts";
import { runFunction } from "../../src/compile/run-function.ts";
import { HostArray } from "../../src/core/host-array.ts";
import type { Tensor } from "../../src/ops/tensor.ts";

export type Feeds = Readonly<Record<string, HostArray>>;
export type TracedFeeds = (name: string) => Tensor;
export type Values = Readonly<Record<string, HostArray["data"]>>;

/** Traces `f` on named feeds, runs it once, and returns its named results. */
export async function run(
  backend: Backend,
  feeds: Feeds,
  f: (feed: TracedFeeds) => Readonly<Record<string, Tensor>>,
): Promise<Values> {
  const names = Object.keys(feeds);
  let results: readonly string[] = [];
  const traced = (...tensors: readonly Tensor[]): readonly Tensor[] => {
    const out = f((name) => tensors[names.indexOf(name)] as Tensor);
    results = Object.keys(out);
    return Object.values(out);
  };
  const inputs = Object.values(feeds).map((value) => (backend.name === "reference-f64" ? value : inSingle(value)));
  const values = await runFunction(backend, traced, inputs);
  return Object.fromEntries(values.map(({ data }, i) => [results[i] ?? "", data]));
}

const inSingle = ({ dtype, shape, data }: HostArray): HostArray =>
  new HostArray(dtype, shape, data instanceof Float64Array ? Float32Array.from(data) : data);

/** A result as a list; a result that is not there has no values. */
export function list(values: ArrayLike<number> | undefined): number[] {
  return Array.from(values ?? []);
}
