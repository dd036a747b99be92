import type { Backend, Store } from "../compile/backend.ts";
import { formatAval } from "../core/dtype.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import { feedsOfBatch, samplesInOrder } from "./epoch-batches.ts";
import type { Metrics } from "./events.ts";
import { countOf, type Examples } from "./examples.ts";
import { Pace } from "./pace.ts";
import { compileEvaluation, type MeasuringStep } from "./programs.ts";
import { type ModelState, type Task, Totals } from "./task.ts";
import { yieldToHost } from "./yield-to-host.ts";

export type EvaluatorOptions = {
  readonly backend: Backend;
  readonly store: Store;
  readonly task: Task;
  readonly state: ModelState;
  /** Batches are at most this long. */
  readonly maxBatch: number;
};

/** Loss and metrics over whole data sets: exact means over all samples, in evaluation mode. Programs are kept by batch length. */
export class Evaluator {
  private readonly options: EvaluatorOptions;
  private readonly programs = new Map<string, Promise<MeasuringStep>>();

  constructor(options: EvaluatorOptions) {
    this.options = options;
  }

  /** The lengths of the batches that `count` samples are evaluated in. */
  batchLengths(count: number): readonly number[] {
    const { full, tail } = this.batches(count);
    return tail === 0 ? [full] : [full, tail];
  }

  /** The means over all examples, or over those at `indices`. */
  async run(examples: Examples, indices?: Int32Array, stopped?: () => boolean): Promise<Metrics> {
    return (await this.totals(examples, indices, stopped)).values();
  }

  /** What the batches of these examples give together. */
  async totals(examples: Examples, indices?: Int32Array, stopped: () => boolean = () => false): Promise<Totals> {
    const count = indices?.length ?? countOf(examples);
    const { full } = this.batches(count);
    const totals = new Totals(this.options.task);
    const pace = new Pace();
    const reader = await samplesInOrder(examples, indices);
    try {
      for (let left = count; left > 0 && !stopped(); ) {
        const size = full > 0 && left >= full ? full : left;
        const { step, shapes } = await this.program(examples, size);
        const steps = pace.next(Math.floor(left / size));
        const started = performance.now();
        const { results } = await step.run(feedsOfBatch(await reader.read(steps * size)), steps);
        pace.record(steps, performance.now() - started);
        for (let i = 0; i < steps; i++) totals.add(results, i, size, shapes);
        left -= steps * size;
        await yieldToHost();
      }
    } finally {
      await reader.close();
    }
    return totals;
  }

  /** The longest batch within the limit that divides `count`, if one is at least half as long; else the limit and a tail. */
  private batches(count: number): { full: number; tail: number } {
    const limit = Math.min(this.options.maxBatch, count);
    for (let size = limit; size * 2 >= limit && size > 0; size--)
      if (count % size === 0) return { full: size, tail: 0 };
    return { full: limit, tail: count % limit };
  }

  program(examples: Examples, batchSize: number): Promise<MeasuringStep> {
    const { backend, store, task, state } = this.options;
    const types = [...leavesOf<HostArray>(examples.inputs), ...leavesOf<HostArray>(examples.targets)].map(
      ([path, { dtype, shape }]) => `${path} ${formatAval({ dtype, shape: [batchSize, ...shape.slice(1)] })}`,
    );
    const key = types.join(", ");
    const known = this.programs.get(key);
    if (known !== undefined) return known;
    const made = compileEvaluation({ backend, store, task, state, examples, batchSize });
    this.programs.set(key, made);
    return made;
  }
}
