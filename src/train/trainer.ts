import type { Feeds, Store } from "../compile/backend.ts";
import type { HostData } from "../core/dtype.ts";
import { OptionError, TrainingError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { loadStateDict } from "../nn/state-dict.ts";
import type { OptimizerState } from "../optim/optimizer-state.ts";
import { SKIPPED } from "../optim/skip.ts";
import { checkIndices } from "./check-indices.ts";
import { type Checkpoint, checkpointName } from "./checkpoints/checkpoint.ts";
import type { RunIdentity } from "./checkpoints/identity.ts";
import type { CheckpointPolicy } from "./checkpoints/policy.ts";
import type { Found, Recorder } from "./checkpoints/recorder.ts";
import { identityOf, parentOf, startEvent } from "./describe-run.ts";
import type { NonFiniteOrigin } from "./diagnosis/non-finite.ts";
import { Emitter } from "./emitter.ts";
import { type EpochBatches, epochBatches, feedsOfStep } from "./epoch-batches.ts";
import type { Control, Metrics, SkippedWeights, TrainEvent, Weights } from "./events.ts";
import type { Examples, HostTree } from "./examples.ts";
import { NonFiniteLossError } from "./non-finite-loss.ts";
import { Pace } from "./pace.ts";
import { PhaseTimer } from "./phase-times.ts";
import { Plateaus } from "./plateaus.ts";
import { type EpochEvent, Position } from "./position.ts";
import { initOptimizer, type MeasuringStep, type TrainState } from "./programs.ts";
import { compileRun, type RunPrograms } from "./run-programs.ts";
import { type SplitExamples, splitExamples } from "./split-examples.ts";
import { initModel, type ModelState, Totals } from "./task.ts";
import { type Budget, RecordedBudget, TimeBudget } from "./time-budget.ts";
import type { TrainedModel } from "./trained-model.ts";
import type { TrainerOptions } from "./trainer-options.ts";
import { yieldToHost } from "./yield-to-host.ts";

export type { EpochEvent } from "./position.ts";

type Recording = Pick<typeof import("./checkpoints/recorder.ts"), "Recorder" | "dataFingerprint" | "kernelsOf"> & {
  readonly policy: CheckpointPolicy;
};

const NOTHING: Found = { checkpoint: undefined, damaged: [] };

/** One step in this many is instrumented. */
const TIMED_EVERY = 64;
/** The first steps of an epoch may still wait for the engine's compiler. */
const TIMED_FROM = 16;
const RATE = "rate";
const isRate = (hyper: string): boolean => hyper === RATE || hyper.endsWith(`.${RATE}`);

/** Loaded by those who use it. */
const optimizerMemory = <T>(use: (made: typeof import("./optimizer-memory.ts")) => T): Promise<Awaited<T>> =>
  import("./optimizer-memory.ts").then(use) as Promise<Awaited<T>>;

type FailedStep = { readonly program: MeasuringStep; readonly feeds: Feeds };

/** Runs one training from its options to its end: events out, decisions back in. */
export class Trainer {
  private readonly options: TrainerOptions;
  private readonly store: Store;
  private readonly position: Position;
  private readonly emitter: Emitter;
  private readonly plateaus = new Plateaus();
  private readonly pace = new Pace();
  /** What schedules take for the run's length; a time budget changes it. */
  private readonly length = { stepsPerEpoch: 0, totalSteps: 0 };
  private nominalSteps = 0;
  private readonly budget: Budget | undefined;
  private programs: RunPrograms | undefined;
  private skipped: SkippedWeights | undefined;
  private recorder: Recorder | undefined;
  private interruption: string | undefined;
  private lastGood: Weights = {};
  /** What a rollback goes back to. */
  private snapshot: Checkpoint | undefined;

  constructor(options: TrainerOptions) {
    this.options = options;
    this.store = options.backend.createStore();
    this.position = new Position(options.task);
    if (options.length !== undefined) this.budget = new RecordedBudget(options.length);
    else if (options.maxTimeMs !== undefined) this.budget = new TimeBudget(options.maxTimeMs);
    const control: Control = {
      stop: (reason) => {
        this.position.stopReason ??= reason;
      },
      setHyper: (name, value) => this.setHyper(name, value),
      weights: () => this.weights(),
      outputs: async (inputs) => {
        await this.programs?.evaluated.refresh();
        return this.model.outputs(inputs);
      },
      setWeights: (weights) => this.setWeights(weights),
    };
    this.emitter = new Emitter(options.sink, options.callbacks, control);
  }

  get model(): TrainedModel {
    return this.compiled.trained;
  }

  /** Bytes of all programs' arenas together with what lives in the store. */
  get peakBytes(): number {
    return this.compiled.peakBytes;
  }

  private get compiled(): RunPrograms {
    if (this.programs === undefined) throw new TrainingError("fit: the model is not there before training starts.");
    return this.programs;
  }

  get history(): readonly EpochEvent[] {
    return this.position.history;
  }

  get stopReason(): string | undefined {
    return this.position.stopReason ?? this.interruption;
  }

  /** Stops before the end; going on later takes up where this stopped. */
  interrupt(reason: string): void {
    this.interruption ??= reason;
  }

  /** Trains to the end. `onEpoch` is awaited after each epoch's event. */
  async run(onEpoch: (event: EpochEvent) => Promise<void>): Promise<"done" | "stopped"> {
    const { position } = this;
    const { sink } = this.options;
    await sink?.open?.();
    const { split, start, found } = await this.prepare().catch(async (error: unknown) => {
      await sink?.close?.();
      throw error;
    });
    let failure: { readonly error: unknown } | undefined;
    try {
      await this.begin(start, found);
      this.lastGood = await this.weights();
      while (!this.isOver() && !this.stopping()) {
        const event = await this.rolledBack(() => this.trainEpoch(split));
        if (event === "rolled back") continue;
        if (event === undefined) break;
        if (split.validation !== undefined) this.plateaus.observe(event.validation, event.step);
        position.endEpoch(event);
        await this.emitter.emit(event);
        this.lastGood = await this.weights();
        await this.saveModel();
        await this.checkpoint(event, this.isOver() || position.stopReason !== undefined);
        await onEpoch(event);
      }
      await this.recorder?.atStop();
    } catch (error) {
      failure = { error };
    }
    const reason = this.stopReason === undefined ? "done" : "stopped";
    const error = await this.end(failure === undefined ? reason : "failed", failure?.error);
    if (error !== undefined) throw error;
    return reason;
  }

  /** All that comes before the first event. Nothing of a run that is there is changed by then. */
  private async prepare(): Promise<{ split: SplitExamples; start: TrainEvent; found: Found }> {
    const { options } = this;
    const recording = await this.recording();
    const split = splitExamples(options.train, options.validation, options.seed);
    const state = await this.init(split.count);
    const { peakBytes, sizes: programs } = await this.compile(state, split, recording?.kernelsOf);
    const identity = recording && identityOf(options, split, recording.dataFingerprint);
    const found = recording && identity ? await this.find(recording, identity) : NOTHING;
    const { sink } = options;
    const { skipped } = this;
    const start = startEvent(options, { state, split, identity, peakBytes, programs, skipped });
    if (sink?.resumes) await sink.resume?.(found.checkpoint?.events ?? 0);
    return { split, start, found };
  }

  /** Tells everyone of the end and saves the model, whatever fails. Answers the first error of all. */
  private async end(reason: "done" | "stopped" | "failed", failure: unknown): Promise<unknown> {
    const { sink } = this.options;
    const errors: unknown[] = failure === undefined ? [] : [failure];
    const attempt = async (act: () => unknown): Promise<void> => {
      try {
        await act();
      } catch (error) {
        errors.push(error);
      }
    };
    await attempt(() => this.programs?.evaluated.refresh());
    const why = failure === undefined ? this.stopReason : failure instanceof Error ? failure.message : String(failure);
    const event: TrainEvent = {
      type: "end",
      reason,
      step: this.position.step,
      ...(why === undefined ? {} : { error: why }),
      timeMs: this.position.spentMs,
    };
    await attempt(async () => {
      const error = await this.emitter.emitToAll(event);
      if (error !== undefined) throw error;
    });
    await attempt(() => this.saveModel());
    await attempt(() => sink?.close?.());
    return errors[0];
  }

  /** What takes checkpoints, where somebody wants them: pages without pay nothing for it. */
  private async recording(): Promise<Recording | undefined> {
    const { sink, branch, rollback, checkpoint } = this.options;
    if (sink?.checkpoints === undefined && branch === undefined && rollback === undefined) return undefined;
    const { Recorder, dataFingerprint, kernelsOf, checkpointPolicy } = await import("./checkpoints/recorder.ts");
    return { Recorder, dataFingerprint, kernelsOf, policy: checkpointPolicy(checkpoint) };
  }

  /** What an earlier session left or another run stands at. Refuses what does not fit, before anything is changed. */
  private async find(recording: Recording, identity: RunIdentity): Promise<Found> {
    const { options, position, plateaus, store, length } = this;
    const { sink, branch, callbacks } = options;
    const { Recorder, policy } = recording;
    const parent = branch === undefined ? undefined : parentOf(branch);
    const recorded = { run: options.name, store, position, plateaus, callbacks, length, identity, parent };
    const recorder = new Recorder(recorded, sink, policy);
    this.recorder = recorder;
    recorder.snapshot = () => this.snapshot;
    const found = sink?.resumes ? await recorder.newest() : NOTHING;
    if (found.checkpoint === undefined && branch !== undefined) recorder.check(branch, true);
    return found;
  }

  /** Tells of the start, and goes to where an earlier session or another run stands, if there is one. */
  private async begin(start: TrainEvent, { checkpoint, damaged }: Found): Promise<void> {
    const { position, emitter, recorder } = this;
    const { sink, branch, rollback } = this.options;
    const from = checkpoint ?? branch;
    if (from !== undefined) this.restore(from, checkpoint === undefined);
    if (checkpoint === undefined) await emitter.emit(start);
    else await emitter.toCallbacks(start);
    if (from !== undefined) recorder?.loadCallbacks(from);
    if (sink?.resumes || branch !== undefined)
      await emitter.toCallbacks({
        type: "resume",
        step: position.step,
        epoch: position.epoch,
        file: from === undefined ? undefined : checkpointName(from.step),
        damaged,
        timeSpentMs: position.spentMs,
      });
    await recorder?.tidy();
    if (checkpoint === undefined) await this.tellOfCheckpoint(await recorder?.atStart());
    else if (checkpoint.logged) await this.tellOfCheckpoint(checkpointName(checkpoint.step));
    if (rollback !== undefined) this.snapshot = from?.snapshot ?? (await recorder?.take());
  }

  private restore(from: Checkpoint, branch: boolean): void {
    this.recorder?.restore(from, branch);
    this.programs?.evaluated.moved();
    this.restoreHypers();
  }

  private restoreHypers(): void {
    const { overrides, rollbacks } = this.position;
    for (const step of this.steps()) {
      for (const name of step.hyperNames) {
        step.setHyper(name, overrides.get(name) ?? null);
        if (isRate(name)) step.setFactor(name, rollbacks.rateFactor);
      }
    }
  }

  private async checkpoint(epochEnd: EpochEvent | undefined, last: boolean): Promise<void> {
    await this.tellOfCheckpoint(await this.recorder?.atStep(epochEnd, last));
    const { rollback } = this.options;
    if (rollback !== undefined && epochEnd !== undefined) this.snapshot = await this.recorder?.take();
  }

  private async tellOfCheckpoint(file: string | undefined): Promise<void> {
    const { step, epoch } = this.position;
    if (file !== undefined) await this.emitter.emit({ type: "checkpoint", step, epoch, file });
  }

  /** Goes back to the last good state where a loss is not finite, if that is wanted and was not done too often. */
  private async rolledBack<T>(train: () => Promise<T>): Promise<T | "rolled back"> {
    try {
      return await train();
    } catch (error) {
      const { rollback } = this.options;
      const { snapshot } = this;
      const count = this.position.rollbacks.count + 1;
      if (!(error instanceof NonFiniteLossError) || rollback === undefined || snapshot === undefined) throw error;
      if (count > rollback.times) throw error;
      const rateFactor = rollback.rateFactor ** count;
      this.restore(snapshot, false);
      this.position.rollbacks = { count, rateFactor };
      this.restoreHypers();
      await this.recorder?.wentBack();
      const { step: to } = this.position;
      await this.emitter.emit({ type: "rollback", step: error.step, to, rateFactor, text: error.message });
      return "rolled back";
    }
  }

  private async weights(): Promise<Weights> {
    await this.programs?.evaluated.refresh();
    return this.model.weights();
  }

  /** What the optimizer remembers as training stands. */
  optimizerState(): Promise<OptimizerState> {
    return optimizerMemory((memory) => memory.memoryOf(this.store, this.options, this.history));
  }

  private setWeights(weights: Weights): void {
    this.model.setWeights(weights);
    this.programs?.evaluated.replaced(weights);
  }

  private stopping(): boolean {
    const { signal, stopAt = Infinity } = this.options;
    if (signal?.aborted) this.interrupt("aborted");
    if (this.position.step >= stopAt) this.interrupt(`step ${stopAt} was reached`);
    return this.stopReason !== undefined;
  }

  /** Whether the run has all its epochs, or all the steps that fit into its time. */
  private isOver(): boolean {
    const { budget, position, length } = this;
    if (budget === undefined) return position.epoch > this.options.epochs;
    const planned = length.totalSteps !== this.nominalSteps;
    return (planned && position.step >= length.totalSteps) || budget.isOver(position.step, position.spentMs);
  }

  /** Says how many steps fit into the time, where it is time to say so. */
  private async plan(): Promise<void> {
    const { budget, position, length } = this;
    const totalSteps = budget?.plan(position.step, position.spentMs);
    if (totalSteps === undefined || totalSteps === length.totalSteps) return;
    length.totalSteps = totalSteps;
    // The schedule's epochs are shares of the run.
    length.stepsPerEpoch = totalSteps / this.options.epochs;
    await this.emitter.emit({ type: "intervention", step: position.step, hyper: "totalSteps", value: totalSteps });
  }

  private async init(samples: number): Promise<TrainState> {
    const { task, train, batchSize, seed, weights, strict, validation, backend, optimizer, optimizerState } =
      this.options;
    let made: ModelState = initModel(task.model, train, Math.min(batchSize, samples), seed);
    checkIndices(task.model, made, train);
    if (typeof validation !== "number") checkIndices(task.model, made, validation);
    if (weights !== undefined) {
      const { params, buffers, ...skipped } = loadStateDict({ ...made, ties: task.model.layer.ties }, weights, {
        strict,
      });
      this.skipped = skipped;
      made = { params, buffers };
    }
    const state = { ...made, optState: await initOptimizer(backend, optimizer, made.params) };
    return optimizerState ? optimizerMemory((memory) => memory.withMemory(this.store, this.options, state)) : state;
  }

  private async compile(
    state: TrainState,
    split: SplitExamples,
    kernelsOf: Recording["kernelsOf"] | undefined,
  ): Promise<RunPrograms> {
    const { options, store, plateaus, length } = this;
    const samples = split.count;
    const stepsPerEpoch = Math.ceil(samples / Math.min(options.batchSize, samples));
    this.nominalSteps = stepsPerEpoch * options.epochs;
    Object.assign(length, { stepsPerEpoch, totalSteps: this.nominalSteps });
    this.programs = await compileRun({ options, store, plateaus, state, split, length, kernelsOf });
    return this.programs;
  }

  private steps(): readonly MeasuringStep["step"][] {
    return [this.programs?.full, this.programs?.tail].flatMap((program) => program?.step ?? []);
  }

  /** What is left of a pass over the training samples, and its evaluation; undefined when it was stopped before its end. */
  private async trainEpoch(split: SplitExamples): Promise<EpochEvent | undefined> {
    const { position, options } = this;
    const { evaluated, evaluator } = this.compiled;
    const { count, validation } = split;
    const size = Math.min(options.batchSize, count);
    const batches = await epochBatches(options, split.train, position.epoch - 1, position.done * size);
    const spent = await this.trainOn(batches, count, size).finally(() => batches.close());
    const aborted = (): boolean => options.signal?.aborted === true;
    if (spent === undefined || aborted()) return undefined;
    if (validation !== undefined) await evaluated.refresh();
    const measured =
      validation === undefined ? {} : await evaluator.run(validation.examples, validation.indices, aborted);
    if (aborted()) return undefined;
    return {
      type: "epoch",
      epoch: position.epoch,
      step: position.step,
      rate: this.rateAt(position.step - 1) ?? Number.NaN,
      train: position.totals.values(),
      validation: measured,
      ...spent,
      samplesPerEpoch: Math.min(position.done * size, count),
    };
  }

  /** Trains on an epoch's batches; undefined when it was stopped before their end. */
  private async trainOn(
    batches: EpochBatches,
    count: number,
    size: number,
  ): Promise<Pick<EpochEvent, "timeMs" | "timeByPhase"> | undefined> {
    const { position } = this;
    const { full, tail, evaluated } = this.compiled;
    const fullSteps = Math.floor(count / size);
    const allSteps = Math.ceil(count / size);
    const timer = new PhaseTimer();
    const timedFrom = Math.min(TIMED_FROM, Math.floor(fullSteps / 2));
    let running = 0;
    let reading = 0;

    const call = async (program: MeasuringStep, samples: number, steps: number, timed: boolean): Promise<void> => {
      const asked = performance.now();
      const feeds = await batches.next(samples * steps);
      const began = performance.now();
      program.step.attempted = position.step;
      evaluated.moved();
      const working = program.step.run(feeds, steps, timed ? { timed } : {});
      batches.ahead?.();
      const report = await working;
      const ended = performance.now();
      reading += began - asked;
      running += ended - began;
      const took = ended - asked;
      if (!timed) this.pace.record(steps, took);
      timer.record(report.timeByPhase);
      await this.report(program, report.results, { feeds, steps, samples, stepMs: took / steps });
      await this.plan();
      await yieldToHost();
    };

    // An epoch that is begun has a step, though time may be over by now.
    while (position.done < allSteps && !(this.budget !== undefined && position.done > 0 && this.isOver())) {
      if (this.stopping()) return undefined;
      const { done } = position;
      if (done === fullSteps) await call(tail as MeasuringStep, count - done * size, 1, false);
      else {
        const untilTimed =
          done < timedFrom ? timedFrom - done : (TIMED_EVERY - ((done - timedFrom) % TIMED_EVERY)) % TIMED_EVERY;
        const timed = untilTimed === 0;
        const most = Math.min(untilTimed, fullSteps - done, this.stepsLeft());
        await call(full, size, timed ? 1 : this.pace.next(most), timed);
      }
      if (position.done < allSteps) await this.checkpoint(undefined, false);
    }
    const phases = timer.take(running);
    return { timeMs: running + reading, timeByPhase: { ...phases, sample: phases.sample + reading } };
  }

  /** Steps until something has to happen between two of them. */
  private stepsLeft(): number {
    const { budget, length, position, recorder, options } = this;
    const { step } = position;
    const ofBudget = Math.min(
      budget?.stepsLeft(step) ?? Infinity,
      budget === undefined ? Infinity : length.totalSteps - step,
    );
    return Math.max(1, Math.min(ofBudget, recorder?.stepsUntilDue ?? Infinity, (options.stopAt ?? Infinity) - step));
  }

  /** Emits the events of a finished call, and fails at the first loss that is not finite. */
  private async report(
    program: MeasuringStep,
    results: Readonly<Record<string, HostData>>,
    call: { feeds: Feeds; steps: number; samples: number; stepMs: number },
  ): Promise<void> {
    const { task } = this.options;
    const { position } = this;
    for (let i = 0; i < call.steps; i++) {
      const batch = new Totals(task);
      batch.add(results, i, call.samples, program.shapes);
      const ofRule = Object.fromEntries(program.ruleMetrics.map((name) => [name, results[name]?.[i] ?? Number.NaN]));
      const skipped = (ofRule[SKIPPED] ?? 0) > 0;
      if (!skipped) position.totals.add(results, i, call.samples, program.shapes);
      const metrics = { ...batch.values(), ...ofRule };
      const rate = this.rateAt(position.step);
      position.step++;
      position.done++;
      if (!skipped && !Number.isFinite(metrics.loss)) {
        const feeds = feedsOfStep(call.feeds, i, call.steps);
        throw await this.nonFinite(batch.values().loss as number, rate, { program, feeds });
      }
      const event: TrainEvent = {
        type: "step",
        step: position.step,
        epoch: position.epoch,
        rate: rate ?? Number.NaN,
        metrics,
        timeMs: call.stepMs,
      };
      const waiting = this.emitter.emit(event);
      if (waiting !== undefined) await waiting;
    }
  }

  private async nonFinite(loss: number, rate: number | undefined, failed: FailedStep): Promise<NonFiniteLossError> {
    const { lastGood } = this;
    const { step, epoch } = this.position;
    let weights = await this.weights();
    const finite = Object.values(weights).every(({ data }) => data.every((x) => Number.isFinite(x)));
    const origin = await this.originOf(failed, finite ? undefined : lastGood);
    if (!finite) {
      weights = lastGood;
      this.setWeights(lastGood);
    }
    const kept = finite
      ? "The last good weights"
      : epoch === 1
        ? "The weights of the start"
        : `Those of the end of epoch ${epoch - 1}`;
    return new NonFiniteLossError(
      `fit: got the loss ${loss} at step ${step} (epoch ${epoch})${rate === undefined ? "" : ` with rate ${rate}`}; expected a finite number. ` +
        `${origin === undefined ? "" : `${origin.text}. `}${kept} are kept. Hint: a lower rate, a warmup or gradient clipping.`,
      { step, epoch, rate, weights, origin },
    );
  }

  /** What went wrong first in a step: as the state is, or with the last good weights where an update has spoiled the state. */
  private async originOf(
    { program, feeds }: FailedStep,
    good: Weights | undefined,
  ): Promise<NonFiniteOrigin | undefined> {
    const { step } = program;
    try {
      const { findNonFinite } = await import("./diagnosis/non-finite.ts");
      step.attempted = this.position.step - 1;
      const replay = { program: step.program, feeds: step.feedsFor(feeds) };
      const now = await findNonFinite({ ...replay, read: (path) => this.store.read(path) });
      if (good === undefined) return now;
      // The step that spoiled the state is gone; what spoils it shows again with good weights more often than not.
      const params = "state.params.";
      const read = async (path: string): Promise<HostArray> =>
        (path.startsWith(params) ? good[path.slice(params.length)] : undefined) ?? this.store.read(path);
      const before = await findNonFinite({ ...replay, read });
      return before === undefined || now === undefined
        ? now
        : { ...before, text: `${now.text}. With the weights before, ${before.text.replace(/^It began/, "it begins")}` };
    } catch {
      // The loss is what the user must hear of.
      return undefined;
    }
  }

  private rateAt(step: number): number | undefined {
    const { step: first } = this.compiled.full;
    return first.hyperNames.includes(RATE) ? first.hyperAt(RATE, step) : undefined;
  }

  private setHyper(name: string, value: number | null): void {
    if (value !== null && !Number.isFinite(value))
      throw new OptionError(`setHyper: got ${name} = ${value}; expected a finite number.`, name);
    for (const step of this.steps()) step.setHyper(name, value);
    if (value === null) this.position.overrides.delete(name);
    else this.position.overrides.set(name, value);
    this.emitter.later({ type: "intervention", step: this.position.step, hyper: name, value });
  }

  private async saveModel(): Promise<void> {
    const { sink } = this.options;
    if (sink === undefined) return;
    await this.programs?.evaluated.refresh();
    await sink.saveModel(await this.model.toBytes());
  }

  /** Records the test set's metrics. */
  async test(examples: Examples): Promise<Metrics> {
    const began = performance.now();
    const metrics = await this.model.evaluate(examples as Examples<HostTree, HostTree>);
    await this.emitter.emit({ type: "test", metrics, timeMs: performance.now() - began });
    return metrics;
  }
}
