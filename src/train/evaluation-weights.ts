import type { Backend, Store } from "../compile/backend.ts";
import type { Step } from "../compile/step.ts";
import { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Transform } from "../optim/transform.ts";
import { feedsOfBatch, samplesInOrder } from "./epoch-batches.ts";
import type { Weights } from "./events.ts";
import type { Examples, HostTree } from "./examples.ts";
import { compileEvalParams, compileStatistics, DIFFERENT, type TrainState } from "./programs.ts";
import type { Task } from "./task.ts";

/** The training samples whose statistics batch norms take on with averaged weights. */
export type StatisticsSource = {
  readonly train: Examples;
  /** Of data in memory. */
  readonly indices: Int32Array;
  readonly samples: number;
  readonly batchSize: number;
};

/**
 * The weights that a run evaluates, predicts and is saved with. Where the optimizer has none of its own they are the
 * parameters, in the training's store; else they live in a store beside it and are brought up to date when asked for.
 */
export class EvaluationWeights {
  readonly store: Store;
  private readonly options: {
    readonly backend: Backend;
    readonly training: Store;
    readonly optimizer: Transform;
    readonly task: Task;
    readonly state: TrainState;
    readonly seed: number;
    readonly source: StatisticsSource;
  };
  private stale = true;
  private evalParams: Promise<Step<HostTree>> | undefined;
  private statistics: Promise<Step<HostTree>> | undefined;

  constructor(options: EvaluationWeights["options"]) {
    this.options = options;
    const { backend, training, optimizer, state } = options;
    this.store = optimizer.evalParams === undefined ? training : backend.createStore();
    if (this.store === training) return;
    for (const [path, value] of leavesOf<HostArray>({ params: state.params, buffers: state.buffers }, "state"))
      this.store.write(path, value);
  }

  /** To be called when training has moved on. */
  moved(): void {
    this.stale = true;
  }

  /** Replaces the training's weights by those that were just written for evaluation. */
  replaced(weights: Weights): void {
    const { training, state } = this.options;
    if (this.store === training) return;
    for (const kind of ["params", "buffers"] as const)
      for (const [name] of leavesOf<HostArray>(state[kind]))
        training.write(`state.${kind}.${name}`, weights[name] as HostArray);
    this.stale = false;
  }

  /** Brings the weights up to date. */
  async refresh(): Promise<void> {
    const { training, backend, optimizer, state } = this.options;
    if (this.store === training || !this.stale) return;
    this.evalParams ??= compileEvalParams({ backend, store: training, optimizer, state });
    const { results } = await (await this.evalParams).run({});
    for (const [path, { dtype, shape }] of leavesOf<HostArray>(state.params, "params"))
      this.store.write(`state.${path}`, new HostArray(dtype, shape, (results[path] as HostArray["data"]).slice()));
    for (const [path] of leavesOf<HostArray>(state.buffers, "state.buffers"))
      this.store.write(path, await training.read(path));
    // Statistics of the parameters themselves, as before an average starts, are training's own.
    const different = (results[DIFFERENT]?.[0] ?? 0) > 0;
    if (optimizer.refreshesStatistics && different && leavesOf<HostArray>(state.buffers).length > 0)
      await this.takeStatistics();
    this.stale = false;
  }

  /** One pass over the training samples, whole batches only. */
  private async takeStatistics(): Promise<void> {
    const { backend, task, state, seed, source } = this.options;
    const { train: examples, indices, samples, batchSize } = source;
    this.statistics ??= compileStatistics({ backend, store: this.store, task, state, examples, batchSize, seed });
    const step = await this.statistics;
    step.attempted = 0;
    const reader = await samplesInOrder(examples, indices);
    try {
      for (let at = 0; at + batchSize <= samples; at += batchSize) {
        const { inputs } = await reader.read(batchSize);
        await step.run(feedsOfBatch({ inputs }));
      }
    } finally {
      await reader.close();
    }
  }
}
