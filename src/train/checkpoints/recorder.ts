import type { Executable, Store } from "../../compile/backend.ts";
import { COMPLETED } from "../../compile/settle.ts";
import type { Aval } from "../../core/dtype.ts";
import { OptionError } from "../../core/errors.ts";
import { Fingerprint, fingerprintOf } from "../../core/fingerprint.ts";
import { formFaults } from "../../core/form-faults.ts";
import { HostArray } from "../../core/host-array.ts";
import { leavesOf } from "../../core/tree.ts";
import type { Callback } from "../events.ts";
import type { Examples } from "../examples.ts";
import type { Plateaus } from "../plateaus.ts";
import type { EpochEvent, Position } from "../position.ts";
import type { RunSink } from "../run-sink.ts";
import { type Checkpoint, checkpointName, type Parent } from "./checkpoint.ts";
import { checkIdentity, type RunIdentity } from "./identity.ts";
import { Keeper } from "./keeper.ts";
import { type CheckpointPolicy, checkMetric, dueBy, stepsUntilDue } from "./policy.ts";

export { checkpointPolicy } from "./policy.ts";

/** What a checkpoint is taken of and put back into. */
export type Recorded = {
  readonly run: string;
  readonly store: Store;
  readonly position: Position;
  readonly plateaus: Plateaus;
  readonly callbacks: readonly Callback[];
  /** What schedules take for the length of the run; put back in place. */
  readonly length: { stepsPerEpoch: number; totalSteps: number };
  readonly identity: RunIdentity;
  readonly parent: Parent | undefined;
};

type At = {
  readonly logged: boolean;
  readonly events: number;
  readonly epochEnd: EpochEvent | undefined;
  readonly snapshot: Checkpoint | undefined;
};

/** What a run can go on from, and what could not be read. */
export type Found = { readonly checkpoint: Checkpoint | undefined; readonly damaged: readonly string[] };

/** Takes checkpoints of a training, has them kept, and puts them back. */
export class Recorder {
  /** Undefined where nothing is kept. */
  private readonly keeper: Keeper | undefined;
  private readonly recorded: Recorded;
  private readonly sink: RunSink | undefined;
  /** What a rollback goes back to, where the run may have one. */
  snapshot: () => Checkpoint | undefined = () => undefined;
  private parent: Parent | null = null;
  private lastStep = -1;

  constructor(recorded: Recorded, sink: RunSink | undefined, policy: CheckpointPolicy) {
    this.recorded = recorded;
    this.sink = sink;
    if (sink?.checkpoints !== undefined) this.keeper = new Keeper(sink.checkpoints, policy);
  }

  get stepsUntilDue(): number {
    return this.keeper === undefined ? Infinity : stepsUntilDue(this.keeper.policy, this.recorded.position.step);
  }

  /** The newest good checkpoint of the run that the sink holds. Refuses one of another model or data. */
  async newest(): Promise<Found> {
    const found = (await this.keeper?.newest()) ?? { checkpoint: undefined, damaged: [] };
    if (found.checkpoint !== undefined) this.check(found.checkpoint, false);
    return found;
  }

  /** Refuses a checkpoint of another model, data, order or optimizer. */
  check(checkpoint: Checkpoint, branch: boolean): void {
    const file = checkpointName(checkpoint.step);
    checkIdentity(checkpoint.identity, this.recorded.identity, { file, branch, done: checkpoint.done });
    const faults = formFaults(
      this.paths().map((path): [string, Aval] => [path, this.recorded.store.avalOf(path)]),
      Object.entries(checkpoint.state).map(([path, { aval }]): [string, Aval] => [path, aval]),
    );
    if (faults !== undefined)
      throw new OptionError(
        `${branch ? "branch" : "resume"}: ${file} holds a state ${faults}; expected the form of this optimizer's state. ` +
          "Hint: for another optimizer start a new run from this run's weights.",
        "optimizer",
      );
  }

  /** Puts a checkpoint back, all but the callbacks' state. A branch has a log and a history of its own. */
  restore(checkpoint: Checkpoint, branch: boolean): void {
    const { store, position, plateaus, length } = this.recorded;
    for (const [path, value] of Object.entries(checkpoint.state)) store.write(path, value);
    position.load(branch ? { ...checkpoint, history: [], stopReason: null } : checkpoint, !branch);
    plateaus.load(checkpoint.plateaus);
    // More epochs, or fewer, are another length; a plan made for a time budget is kept.
    if (sameJson(checkpoint.identity.free.epochs, this.recorded.identity.free.epochs))
      Object.assign(length, checkpoint.length);
    else position.stopReason = undefined;
    this.parent = branch ? null : checkpoint.parent;
    this.lastStep = branch ? -1 : checkpoint.step;
  }

  /** Once training has gone back: later checkpoints would be taken for the newest. */
  async wentBack(): Promise<void> {
    await this.keeper?.removeAfter(this.recorded.position.step);
  }

  /** After the callbacks have seen the start. */
  loadCallbacks({ callbacks }: Checkpoint): void {
    const states = [...callbacks];
    for (const callback of this.recorded.callbacks) {
      const at = states.findIndex(({ name }) => name === callback.name);
      if (at >= 0) callback.load?.(states.splice(at, 1)[0]?.state);
    }
  }

  async tidy(): Promise<void> {
    await this.keeper?.tidy();
  }

  /** Takes a checkpoint if one is due. Answers its name where an event is to tell of it. */
  async atStep(epochEnd: EpochEvent | undefined, last: boolean): Promise<string | undefined> {
    const { keeper } = this;
    if (keeper === undefined) return undefined;
    if (epochEnd !== undefined) checkMetric(keeper.policy, epochEnd);
    const { step, epoch } = this.recorded.position;
    const due = dueBy(keeper.policy, {
      step,
      epochEnded: epochEnd === undefined ? undefined : epoch - 1,
      last,
      minutesSinceLast: keeper.minutesSinceLast,
    });
    if (due === undefined) return undefined;
    const written = await this.write(due === "steps", epochEnd);
    return written && due === "steps" ? checkpointName(step) : undefined;
  }

  /** The first one of a run. Answers its name. */
  async atStart(): Promise<string | undefined> {
    if (this.keeper === undefined) return undefined;
    return (await this.write(true, undefined)) ? checkpointName(this.recorded.position.step) : undefined;
  }

  /** Where training is about to stop, if it moved on since the last checkpoint. */
  async atStop(): Promise<void> {
    if (this.recorded.position.step !== this.lastStep) await this.write(false, undefined);
  }

  private async write(logged: boolean, epochEnd: EpochEvent | undefined): Promise<boolean> {
    const events = (await this.sink?.sync?.()) ?? 0;
    const checkpoint = await this.capture({ logged, events, epochEnd, snapshot: this.snapshot() });
    // State that is not finite is nothing to go back to; the next loss says so.
    if (!hasFiniteParameters(checkpoint)) return false;
    await this.keeper?.write(checkpoint);
    this.lastStep = checkpoint.step;
    return true;
  }

  /** The training as it stands, to go back to. */
  take(): Promise<Checkpoint> {
    return this.capture({ logged: false, events: 0, epochEnd: undefined, snapshot: undefined });
  }

  private async capture(at: At): Promise<Checkpoint> {
    const { run, identity, store, position, plateaus, callbacks, length, parent } = this.recorded;
    const paths = this.paths();
    const values = await Promise.all(paths.map((path) => store.read(path)));
    const state = Object.fromEntries(paths.map((path, i) => [path, copy(values[i] as HostArray)]));
    const { epochEnd, snapshot } = at;
    return {
      state,
      run,
      identity,
      ...position.save(),
      length: { ...length },
      plateaus: plateaus.save(),
      callbacks: callbacks.flatMap((callback) =>
        callback.save === undefined ? [] : [{ name: callback.name, state: callback.save() ?? null }],
      ),
      events: at.events,
      logged: at.logged,
      metrics: epochEnd === undefined ? null : { train: epochEnd.train, validation: epochEnd.validation },
      pinned: parent !== undefined && this.lastStep < 0,
      parent: parent ?? this.parent,
      snapshot: snapshot?.step === position.step ? null : (snapshot ?? null),
      timeWritten: Date.now(),
    };
  }

  private paths(): string[] {
    return this.recorded.store.paths.filter((path) => path === COMPLETED || path.startsWith("state."));
  }
}

const copy = ({ dtype, shape, data }: HostArray): HostArray => new HostArray(dtype, shape, data.slice());
const sameJson = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function hasFiniteParameters({ state }: Checkpoint): boolean {
  return Object.entries(state).every(
    ([path, { dtype, data }]) =>
      !path.startsWith("state.params") || dtype !== "f32" || (data as Float32Array).every(Number.isFinite),
  );
}

/** Of all arrays that are trained on and held out. */
export function dataFingerprint(examples: Examples): string {
  const { windows, stream, inputs, targets } = examples;
  if (windows !== undefined) return fingerprintOf([["tokens", windows.tokens]]);
  const arrays = [...leavesOf<HostArray>(inputs, "inputs"), ...leavesOf<HostArray>(targets, "targets")];
  // Of a stream the first samples: reading all of it could take as long as training.
  const length: typeof arrays =
    stream === undefined ? [] : [["samplesPerEpoch", new HostArray("i32", [1], Int32Array.of(stream.samplesPerEpoch))]];
  return fingerprintOf([...arrays, ...length]);
}

/** Of what a program runs. */
export function kernelsOf(executable: Executable): string {
  return new Fingerprint().text(executable.print("kernels")).digits;
}
