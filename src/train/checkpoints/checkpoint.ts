import type { HostArray } from "../../core/host-array.ts";
import type { ReactionState } from "../../optim/schedules/reaction.ts";
import type { Metrics, TrainEvent } from "../events.ts";
import type { TotalsState } from "../task.ts";
import type { RunIdentity } from "./identity.ts";

/** Where a run was branched off. */
export type Parent = { readonly run: string; readonly step: number; readonly checkpoint: string };

/** All that a training needs to go on as if it had never stopped, beside the model, the data and the options that it is given. */
export type Checkpoint = {
  /** Parameters, buffers, optimizer state and the count of completed updates, by their paths in the training's store. */
  readonly state: Readonly<Record<string, HostArray>>;
  readonly run: string;
  readonly identity: RunIdentity;
  /** Attempted updates: what schedules and random numbers depend on. */
  readonly step: number;
  /** The epoch that is trained, from 1. */
  readonly epoch: number;
  /** Steps of that epoch that are done. */
  readonly done: number;
  /** What the schedules take for the length of the run. */
  readonly length: { readonly stepsPerEpoch: number; readonly totalSteps: number };
  /** The epoch's sums so far. */
  readonly totals: TotalsState;
  readonly history: readonly (TrainEvent & { readonly type: "epoch" })[];
  /** Hyperparameters that were fixed by hand. */
  readonly overrides: Readonly<Record<string, number>>;
  /** By how much the rate was lowered after losses that were not finite, and how often. */
  readonly rollbacks: { readonly count: number; readonly rateFactor: number };
  readonly plateaus: readonly ReactionState[];
  readonly callbacks: readonly { readonly name: string; readonly state: unknown }[];
  readonly stopReason: string | null;
  /** Events in the run's log before this checkpoint's own. */
  readonly events: number;
  /** Whether the log names it: not those that the clock or a signal asked for, so that logs repeat. */
  readonly logged: boolean;
  /** Metrics of the epoch that just ended. */
  readonly metrics: { readonly train: Metrics; readonly validation: Metrics } | null;
  /** Kept whatever the policy says: the start of a branch. */
  readonly pinned: boolean;
  readonly parent: Parent | null;
  /** What a rollback goes back to, where that is another state than this one. */
  readonly snapshot: Checkpoint | null;
  /** Milliseconds of training before it, all sessions together. */
  readonly timeSpentMs: number;
  readonly timeWritten: number;
};

export function checkpointName(step: number): string {
  return `step-${String(step).padStart(8, "0")}.safetensors`;
}

/** The step of a checkpoint's name; undefined where it is the name of something else. */
export function stepOfName(name: string): number | undefined {
  const [, digits] = /^step-(\d{8,15})\.safetensors$/.exec(name) ?? [];
  return digits === undefined ? undefined : Number(digits);
}
