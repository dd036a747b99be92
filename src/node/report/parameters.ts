import type { HostArray } from "../../core/host-array.ts";
import { namesOf, readCheckpoint } from "../../train/checkpoints/keeper.ts";
import type { Weights } from "../../train/events.ts";
import { CheckpointFolder } from "../checkpoint-folder.ts";
import { fileSize } from "../file-store.ts";

export type ParameterRow = {
  readonly name: string;
  readonly shape: readonly number[];
  /** The root of the sum of squares. */
  readonly norm: number;
  /** How far it moved between two checkpoints, by its norm and the number of steps between. */
  readonly movement: number | undefined;
};

export type ParameterTable = {
  readonly rows: readonly ParameterRow[];
  /** The steps of the checkpoints that were compared. */
  readonly between: readonly [from: number, to: number] | undefined;
};

/** Larger checkpoints are not read: that takes seconds. */
const MAX_BYTES = 100e6;
const PREFIX = "state.params.";

/** Norms of the weights, and from the two newest checkpoints that are kept how fast they moved. */
export async function parameterTable(run: string, weights: Weights): Promise<ParameterTable> {
  const pair = await newestTwo(run);
  const rows = Object.entries(weights)
    .filter(([, { dtype }]) => dtype === "f32")
    .map(([name, value]): ParameterRow => {
      const [before, after] = [pair?.before.state[PREFIX + name], pair?.after.state[PREFIX + name]];
      const steps = pair === undefined ? 0 : pair.after.step - pair.before.step;
      const movement = before && after ? distance(before, after) / (norm(before) * steps) : undefined;
      return { name, shape: value.shape, norm: norm(value), movement };
    });
  return { rows, between: pair && [pair.before.step, pair.after.step] };
}

async function newestTwo(run: string) {
  const store = new CheckpointFolder(run);
  const names = (await namesOf(store)).slice(0, 2);
  const sizes = await Promise.all(names.map((name) => fileSize(store.fileOf(name))));
  if (names.length < 2 || sizes.some((size = 0) => size > MAX_BYTES)) return undefined;
  const [a, b] = await Promise.all(names.map((name) => readCheckpoint(store, name)));
  if (a === undefined || b === undefined || typeof a === "string" || typeof b === "string" || a.step === b.step)
    return undefined;
  return a.step < b.step ? { before: a, after: b } : { before: b, after: a };
}

function norm({ data }: HostArray): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return Math.sqrt(sum);
}

function distance(a: HostArray, b: HostArray): number {
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += ((a.data[i] as number) - (b.data[i] as number)) ** 2;
  return Math.sqrt(sum);
}
