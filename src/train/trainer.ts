import type { Backend, Store } from "../compile/backend.ts";
import type { Inspect } from "../compile/step.ts";
import { type HostData, sizeOf } from "../core/dtype.ts";
import { OptionError, TrainingError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { leavesOf } from "../core/tree.ts";
import type { Dataset } from "../data/dataset.ts";
import { epochOrder } from "../data/order.ts";
import { splitDataset } from "../data/split.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import { SKIPPED } from "../optim/skip.ts";
import type { Transform } from "../optim/transform.ts";
import { checkIndices } from "./check-indices.ts";
import { EvaluationWeights } from "./evaluation-weights.ts";
import { Evaluator } from "./evaluator.ts";
import type { Callback, Control, Metrics, ProgramSize, SkippedWeights, TrainEvent, Weights } from "./events.ts";
import { countOf, type Examples, type HostTree, nameOf } from "./examples.ts";
import { Pace } from "./pace.ts";
import { PhaseTimer } from "./phase-times.ts";
import { Plateaus } from "./plateaus.ts";
import { compileTraining, initOptimizer, type MeasuringStep, type TrainState } from "./programs.ts";
import type { RunSink } from "./run-sink.ts";
import { initModel, type ModelState, type Task, Totals } from "./task.ts";
import { sampleOf, TrainedModel } from "./trained-model.ts";
import { yieldToHost } from "./yield-to-host.ts";

export type EpochEvent = TrainEvent & { readonly type: "epoch" };

/** `fit`'s options without their types, checked and complete. */
export type TrainerOptions = {
  readonly backend: Backend;
  readonly task: Task;
  readonly optimizer: Transform;
  readonly train: Examples;
  readonly validation: number | Examples;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly name: string;
  readonly callbacks: readonly Callback[];
  readonly signal: AbortSignal | undefined;
  readonly sink: RunSink | undefined;
  readonly onInspect: Inspect | undefined;
  readonly weights: Weights | undefined;
  readonly strict: boolean;
};

/** A non-finite loss: that step did not commit. `weights` are the last that are finite throughout. */
export class NonFiniteLossError extends TrainingError {
  readonly step: number;
  readonly epoch: number;
  readonly rate: number | undefined;
  readonly weights: Weights;

  constructor(message: string, at: { step: number; epoch: number; rate: number | undefined; weights: Weights }) {
    super(message, `step ${at.step}`);
    this.step = at.step;
    this.epoch = at.epoch;
    this.rate = at.rate;
    this.weights = at.weights;
  }
}

/** One step in this many is instrumented. */
const TIMED_EVERY = 64;
/** The first steps of an epoch may still wait for the engine's compiler. */
const TIMED_FROM = 16;
const RATE = "rate";

type Compiled = { readonly full: MeasuringStep | undefined; readonly tail: MeasuringStep | undefined };
type Held = { readonly examples: Examples; readonly indices: Int32Array | undefined; readonly count: number };

/** Runs one training from its options to its end: events out, decisions back in. */
export class Trainer {
  readonly history: EpochEvent[] = [];
  stopReason: string | undefined;
  /** Bytes of all programs' arenas together with what lives in the store. */
  peakBytes = 0;
  private readonly options: TrainerOptions;
  private readonly store: Store;
  private readonly plateaus = new Plateaus();
  private readonly sizes: ProgramSize[] = [];
  private readonly pending: TrainEvent[] = [];
  private readonly control: Control;
  private readonly pace = new Pace();
  private programs: Compiled = { full: undefined, tail: undefined };
  private trained: TrainedModel | undefined;
  private evaluated: EvaluationWeights | undefined;
  private skipped: SkippedWeights | undefined;
  private attempted = 0;
  private epoch = 0;

  constructor(options: TrainerOptions) {
    this.options = options;
    this.store = options.backend.createStore();
    this.control = {
      stop: (reason) => {
        this.stopReason ??= reason;
      },
      setHyper: (name, value) => this.setHyper(name, value),
      weights: () => this.weights(),
      outputs: async (inputs) => {
        await this.evaluated?.refresh();
        return this.model.outputs(inputs);
      },
      setWeights: (weights) => this.setWeights(weights),
    };
  }

  get model(): TrainedModel {
    if (this.trained === undefined) throw new TrainingError("fit: the model is not there before training starts.");
    return this.trained;
  }

  /** Trains to the end. `onEpoch` is awaited after each epoch's event. */
  async run(onEpoch: (event: EpochEvent) => Promise<void>): Promise<"done" | "stopped"> {
    const { options } = this;
    const started = performance.now();
    const split = this.split();
    const state = await this.init(split.train.length);
    const evaluator = await this.compile(state, split);
    await this.emit(this.startEvent(state, split));
    let reason: "done" | "stopped" | "failed" = "done";
    let error: string | undefined;
    try {
      let lastGood = await this.weights();
      while (this.epoch < options.epochs && !this.stopping()) {
        this.epoch++;
        const event = await this.trainEpoch(split, evaluator, lastGood);
        if (event === undefined) break;
        this.history.push(event);
        if (split.validation !== undefined) this.plateaus.observe(event.validation, event.step);
        await this.emit(event);
        lastGood = await this.weights();
        await this.save();
        await onEpoch(event);
      }
      reason = this.stopReason === undefined ? "done" : "stopped";
      await this.evaluated?.refresh();
    } catch (caught) {
      reason = "failed";
      error = caught instanceof Error ? caught.message : String(caught);
      throw caught;
    } finally {
      const end: TrainEvent = { type: "end", reason, step: this.attempted, timeMs: performance.now() - started };
      const why = error ?? (reason === "stopped" ? this.stopReason : undefined);
      await this.emit(why === undefined ? end : { ...end, error: why });
      await this.save();
    }
    return reason as "done" | "stopped";
  }

  private async weights(): Promise<Weights> {
    await this.evaluated?.refresh();
    return this.model.weights();
  }

  private setWeights(weights: Weights): void {
    this.model.setWeights(weights);
    this.evaluated?.replaced(weights);
  }

  private stopping(): boolean {
    if (this.options.signal?.aborted) this.stopReason ??= "aborted";
    return this.stopReason !== undefined;
  }

  private split(): { train: Int32Array; validation: Held | undefined } {
    const { train, validation, seed } = this.options;
    const total = countOf(train);
    if (typeof validation !== "number") {
      const count = countOf(validation);
      return {
        train: Int32Array.from({ length: total }, (_, i) => i),
        validation: { examples: validation, indices: undefined, count },
      };
    }
    if (validation !== 0 && train.windows !== undefined)
      throw new OptionError(
        `fit: got validation ${validation} of windows of a text; expected a part of its own, as textData gives it.`,
        "validation",
      );
    const asDataset = { name: nameOf(train), inputs: leavesOf<HostArray>(train.inputs)[0]?.[1] } as Dataset;
    const parts = splitDataset(asDataset, { validation, seed });
    const count = parts.validation.length;
    return {
      train: parts.train,
      validation: count === 0 ? undefined : { examples: train, indices: parts.validation, count },
    };
  }

  private async init(samples: number): Promise<TrainState> {
    const { task, train, batchSize, seed } = this.options;
    const { weights, strict, validation } = this.options;
    const made = initModel(task.model, train, Math.min(batchSize, samples), seed);
    checkIndices(task.model, made, train);
    if (typeof validation !== "number") checkIndices(task.model, made, validation);
    if (weights === undefined) return this.withOptimizer(made);
    const { params, buffers, ...skipped } = loadStateDict({ ...made, ties: task.model.layer.ties }, weights, {
      strict,
    });
    this.skipped = skipped;
    return this.withOptimizer({ params, buffers });
  }

  private async withOptimizer({ params, buffers }: ModelState): Promise<TrainState> {
    const { backend, optimizer } = this.options;
    return { params, buffers, optState: await initOptimizer(backend, optimizer, params) };
  }

  private async compile(
    state: TrainState,
    split: { train: Int32Array; validation: Held | undefined },
  ): Promise<Evaluator> {
    const { backend, task, optimizer, train, batchSize, seed, epochs } = this.options;
    const { store, plateaus } = this;
    const samples = split.train.length;
    const size = Math.min(batchSize, samples);
    const stepsPerEpoch = Math.ceil(samples / size);
    const run = { stepsPerEpoch, totalSteps: stepsPerEpoch * epochs };
    const compiled = async (
      name: ProgramSize["name"],
      length: number,
      make: () => Promise<MeasuringStep>,
    ): Promise<MeasuringStep> => {
      const began = performance.now();
      const program = await make();
      const { executable } = program.step;
      const equations = executable.program.equations.length;
      const timeMs = performance.now() - began;
      this.sizes.push({ name, batchSize: length, equations, peakBytes: executable.peakBytes, timeMs });
      return program;
    };
    const training = (length: number): Promise<MeasuringStep> =>
      compiled("train", length, () =>
        compileTraining({
          backend,
          store,
          task,
          optimizer,
          plateaus,
          state,
          examples: train,
          batchSize: length,
          seed,
          run,
          onInspect: this.options.onInspect,
        }),
      );
    const tail = samples % size;
    this.programs = { full: await training(size), tail: tail === 0 ? undefined : await training(tail) };
    plateaus.begin(run, split.validation !== undefined);
    const maxBatch = Math.max(32, Math.min(256, 2 * size));
    const source = { examples: train, indices: split.train, batchSize: size };
    const evaluated = new EvaluationWeights({ backend, training: store, optimizer, task, state, seed, source });
    this.evaluated = evaluated;
    const evaluator = new Evaluator({ backend, store: evaluated.store, task, state, maxBatch });
    const held = split.validation;
    if (held !== undefined)
      for (const length of evaluator.batchLengths(held.count))
        await compiled("evaluate", length, () => evaluator.program(held.examples, length));
    const { classes, tokenizer } = train;
    const sample = sampleOf(train.inputs);
    this.trained = new TrainedModel(
      { backend, store: evaluated.store, task, state, sample, classes, tokenizer, maxBatch },
      evaluator,
    );
    const resident = store.paths.reduce((sum, path) => {
      const { dtype, shape } = store.avalOf(path);
      return sum + sizeOf(shape) * (dtype === "u8" || dtype === "bool" ? 1 : 4);
    }, 0);
    this.peakBytes = this.sizes.reduce((sum, { peakBytes }) => sum + peakBytes, resident);
    return evaluator;
  }

  private steps(): readonly MeasuringStep["step"][] {
    return [this.programs.full, this.programs.tail].flatMap((program) => program?.step ?? []);
  }

  private startEvent(state: TrainState, split: { train: Int32Array; validation: Held | undefined }): TrainEvent {
    const { options } = this;
    const { task, optimizer, train, epochs, seed } = options;
    const batchSize = Math.min(options.batchSize, split.train.length);
    const stepsPerEpoch = Math.ceil(split.train.length / batchSize);
    return {
      type: "start",
      time: Date.now(),
      run: options.name,
      config: {
        model: task.model.config,
        loss: task.loss.config,
        metrics: task.metrics.map(({ name }) => name),
        optimizer: optimizer.config,
        preprocessing: task.preparation,
        data: { name: nameOf(train), train: split.train.length, validation: split.validation?.count ?? 0 },
        epochs,
        batchSize,
        seed,
        backend: options.backend.name,
        ...(options.backend.notes?.length ? { backendNotes: options.backend.notes } : {}),
      },
      totalSteps: stepsPerEpoch * epochs,
      stepsPerEpoch,
      parameters: leavesOf<HostArray>(state.params).reduce((sum, [, leaf]) => sum + leaf.data.length, 0),
      peakBytes: this.peakBytes,
      programs: this.sizes,
      ...(this.skipped === undefined ? {} : { weights: this.skipped }),
    };
  }

  /** One pass over the training samples and its evaluation; undefined when it was stopped before its end. */
  private async trainEpoch(
    split: { train: Int32Array; validation: Held | undefined },
    evaluator: Evaluator,
    lastGood: Weights,
  ): Promise<EpochEvent | undefined> {
    const { task, batchSize, seed } = this.options;
    const { windows } = this.options.train;
    const order = windows?.starts(seed, this.epoch - 1) ?? epochOrder(seed, this.epoch - 1, split.train);
    const size = Math.min(batchSize, order.length);
    const fullSteps = Math.floor(order.length / size);
    const totals = new Totals(task);
    const timer = new PhaseTimer();
    const timedFrom = Math.min(TIMED_FROM, Math.floor(fullSteps / 2));
    let elapsed = 0;

    const call = async (program: MeasuringStep, rows: Int32Array, steps: number, timed: boolean): Promise<void> => {
      const samples = rows.length / steps;
      const began = performance.now();
      program.step.attempted = this.attempted;
      this.evaluated?.moved();
      const report = await program.step.run({ "batch.indices": rows }, steps, timed ? { timed } : {});
      const took = performance.now() - began;
      elapsed += took;
      if (!timed) this.pace.record(steps, took);
      timer.record(report.timeByPhase);
      await this.report(program, report.results, { steps, samples, stepMs: took / steps, totals, lastGood });
      await yieldToHost();
    };

    for (let done = 0; done < fullSteps; ) {
      if (this.stopping()) return undefined;
      const untilTimed =
        done < timedFrom ? timedFrom - done : (TIMED_EVERY - ((done - timedFrom) % TIMED_EVERY)) % TIMED_EVERY;
      const timed = untilTimed === 0;
      const steps = timed ? 1 : this.pace.next(Math.min(untilTimed, fullSteps - done));
      await call(this.programs.full as MeasuringStep, order.subarray(done * size, (done + steps) * size), steps, timed);
      done += steps;
    }
    if (this.programs.tail !== undefined) {
      if (this.stopping()) return undefined;
      await call(this.programs.tail, order.subarray(fullSteps * size), 1, false);
    }
    const { validation } = split;
    if (validation !== undefined) await this.evaluated?.refresh();
    const measured =
      validation === undefined
        ? {}
        : await evaluator.run(validation.examples, validation.indices, () => this.stopping());
    if (this.options.signal?.aborted) return undefined;
    return {
      type: "epoch",
      epoch: this.epoch,
      step: this.attempted,
      rate: this.rateAt(this.attempted - 1) ?? Number.NaN,
      train: totals.values(),
      validation: measured,
      timeMs: elapsed,
      timeByPhase: timer.take(elapsed),
      samplesPerEpoch: order.length,
    };
  }

  /** Emits the events of a finished call, and fails at the first loss that is not finite. */
  private async report(
    program: MeasuringStep,
    results: Readonly<Record<string, HostData>>,
    call: { steps: number; samples: number; stepMs: number; totals: Totals; lastGood: Weights },
  ): Promise<void> {
    const { task } = this.options;
    for (let i = 0; i < call.steps; i++) {
      const batch = new Totals(task);
      batch.add(results, i, call.samples, program.shapes);
      const ofRule = Object.fromEntries(program.ruleMetrics.map((name) => [name, results[name]?.[i] ?? Number.NaN]));
      const skipped = (ofRule[SKIPPED] ?? 0) > 0;
      if (!skipped) call.totals.add(results, i, call.samples, program.shapes);
      const metrics = { ...batch.values(), ...ofRule };
      const rate = this.rateAt(this.attempted);
      this.attempted++;
      if (!skipped && !Number.isFinite(metrics.loss))
        throw await this.nonFinite(batch.values().loss as number, rate, call.lastGood);
      const event: TrainEvent = {
        type: "step",
        step: this.attempted,
        epoch: this.epoch,
        rate: rate ?? Number.NaN,
        metrics,
        timeMs: call.stepMs,
      };
      const waiting = this.emit(event);
      if (waiting !== undefined) await waiting;
    }
  }

  private async nonFinite(loss: number, rate: number | undefined, lastGood: Weights): Promise<NonFiniteLossError> {
    let weights = await this.weights();
    const finite = Object.values(weights).every(({ data }) => data.every((x) => Number.isFinite(x)));
    if (!finite) {
      weights = lastGood;
      this.setWeights(lastGood);
    }
    const kept = finite
      ? "before that step"
      : this.epoch === 1
        ? "of the start"
        : `of the end of epoch ${this.epoch - 1}`;
    const at = `step ${this.attempted} (epoch ${this.epoch})`;
    return new NonFiniteLossError(
      `fit: got the loss ${loss} at ${at}${rate === undefined ? "" : ` with rate ${rate}`}; expected a finite number. ` +
        `The weights ${kept} are kept. Hint: a lower rate, a warmup or gradient clipping.`,
      { step: this.attempted, epoch: this.epoch, rate, weights },
    );
  }

  private rateAt(step: number): number | undefined {
    const { step: first } = (this.programs.full ?? this.programs.tail) as MeasuringStep;
    return first.hyperNames.includes(RATE) ? first.hyperAt(RATE, step) : undefined;
  }

  private setHyper(name: string, value: number | null): void {
    if (value !== null && !Number.isFinite(value))
      throw new OptionError(`setHyper: got ${name} = ${value}; expected a finite number.`, name);
    for (const step of this.steps()) step.setHyper(name, value);
    this.pending.push({ type: "intervention", step: this.attempted, hyper: name, value });
  }

  /** To the sink, then to each callback in turn. Nothing to wait for where no callback is asynchronous. */
  private emit(event: TrainEvent): Promise<void> | undefined {
    const { sink, callbacks } = this.options;
    sink?.event(event);
    let waiting: Promise<void> | undefined;
    for (const callback of callbacks) {
      if (waiting === undefined) waiting = callback.on(event, this.control) ?? undefined;
      else waiting = waiting.then(() => callback.on(event, this.control));
    }
    if (waiting !== undefined) return waiting.then(() => this.emitPending());
    return this.emitPending();
  }

  private emitPending(): Promise<void> | undefined {
    const next = this.pending.shift();
    return next === undefined ? undefined : this.emit(next);
  }

  private async save(): Promise<void> {
    const { sink } = this.options;
    if (sink === undefined) return;
    await this.evaluated?.refresh();
    await sink.saveModel(await this.model.toBytes());
  }

  /** Records the test set's metrics. */
  async test(examples: Examples): Promise<Metrics> {
    const began = performance.now();
    const metrics = await this.model.evaluate(examples as Examples<HostTree, HostTree>);
    await this.emit({ type: "test", metrics, timeMs: performance.now() - began });
    return metrics;
  }
}
