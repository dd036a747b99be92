import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import { CheckpointFolder } from "../node/checkpoint-folder.ts";
import { readEvents } from "../node/event-log.ts";
import { RunFolder } from "../node/run-folder.ts";
import type { Checkpoint } from "../train/checkpoints/checkpoint.ts";
import { namesOf, readCheckpoint } from "../train/checkpoints/keeper.ts";
import type { TrainEvent } from "../train/events.ts";
import { MODEL_FILE } from "../train/load.ts";
import type { RecordedLength } from "../train/time-budget.ts";
import { formatCount } from "./format.ts";
import { recipeOf } from "./recipe.ts";
import { type RunRecord, readRecord } from "./run-record.ts";
import type { Screen } from "./screen.ts";
import { sayRollbacks } from "./session.ts";
import type { Given } from "./settings.ts";
import { trainRecipe } from "./train.ts";

const DIFFERS = 1;

/**
 * `downhill reproduce`: trains as a run's record says, into a temporary folder, and compares every event and every weight. Answers
 * the exit code: 0 where the bits agree.
 */
export async function reproduce(
  screen: Screen,
  { run, given, verbose }: { readonly run: string; readonly given: Given; readonly verbose: boolean },
): Promise<number> {
  const record = readRecord(run);
  const recorded = readEvents(run, "reproduce");
  const end = recorded.find((event) => event.type === "end");
  if (end === undefined)
    throw new OptionError(
      `reproduce: ${run} has not ended; expected a run that has. Go on with: downhill resume ${run}`,
      run,
    );
  const out = mkdtempSync(join(tmpdir(), "downhill-reproduce-"));
  try {
    const repeated = await repeat(screen, { run, record, recorded, given, verbose, out });
    if (typeof repeated === "number") return repeated;
    return compare(screen, { run, recorded, repeated });
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

type Repeat = {
  readonly run: string;
  readonly record: RunRecord;
  readonly recorded: readonly TrainEvent[];
  readonly given: Given;
  readonly verbose: boolean;
  readonly out: string;
};

/** Trains each part of the run as it was set at that time. Answers the new run's folder, or an exit code. */
async function repeat(
  screen: Screen,
  { run, record, recorded, given, verbose, out }: Repeat,
): Promise<string | number> {
  const branch = record.parent === undefined ? undefined : await startOf(run);
  const length = lengthOf(recorded);
  let sink: RunFolder | undefined;
  for (const { settings, until } of partsOf(record)) {
    const recipe = recipeOf(given, settings);
    const code = await trainRecipe(screen, recipe, {
      verbose,
      branch,
      callbacks: [sayRollbacks(screen)],
      repeats: { ...(length === undefined ? {} : { length }), ...(until === undefined ? {} : { stopAt: until }) },
      open: (config) => {
        sink = sink?.place === undefined ? new RunFolder({ out, config }) : RunFolder.open(sink.place, { config });
        return sink;
      },
    });
    if (code !== 0) return code;
  }
  return sink?.place ?? DIFFERS;
}

/** The settings of the run, and up to which step it had them. */
function partsOf({ settings, changes }: RunRecord): { settings: Given; until: number | undefined }[] {
  const parts: { settings: Given; until: number | undefined }[] = [{ settings, until: undefined }];
  for (const { step, before } of [...changes].reverse()) {
    const later = parts[0]?.settings;
    const earlier = Object.entries({ ...later, ...before }).filter(([, value]) => value !== null);
    parts.unshift({ settings: Object.fromEntries(earlier) as Given, until: step });
  }
  return parts;
}

/** The checkpoint that a branch began with. */
async function startOf(run: string): Promise<Checkpoint> {
  const store = new CheckpointFolder(run);
  for (const name of (await namesOf(store)).reverse()) {
    const read = await readCheckpoint(store, name);
    if (typeof read !== "string" && read.pinned) return read;
  }
  throw new OptionError(
    `reproduce: ${run} is a branch whose first checkpoint is gone; expected it in its folder.`,
    run,
  );
}

/** How a run with a time limit was fitted to it. */
function lengthOf(events: readonly TrainEvent[]): RecordedLength | undefined {
  const plans = events.flatMap((event) =>
    event.type === "intervention" && event.hyper === "totalSteps" && event.value !== null
      ? [{ step: event.step, totalSteps: event.value }]
      : [],
  );
  const end = events.find((event) => event.type === "end");
  return plans.length === 0 || end === undefined ? undefined : { plans, end: end.step };
}

/** An event as it repeats: without what the clock and the machine decide. */
function comparable(event: TrainEvent | undefined): string {
  return JSON.stringify(event, (key, value: unknown) =>
    key.startsWith("time") || ["peakBytes", "programs", "backend", "backendNotes", "parent"].includes(key)
      ? undefined
      : value,
  );
}

type Compared = { readonly run: string; readonly recorded: readonly TrainEvent[]; readonly repeated: string };

function compare(screen: Screen, { run, recorded, repeated }: Compared): number {
  const again = readEvents(repeated, "reproduce");
  screen.line();
  const at = recorded.findIndex((event, i) => comparable(event) !== comparable(again[i]));
  const differs = at >= 0 ? at : recorded.length === again.length ? undefined : recorded.length;
  const steps = recorded.filter(({ type }) => type === "step").length;
  if (differs !== undefined) {
    const there = recorded[differs] ?? again[differs];
    const step = there !== undefined && "step" in there ? ` at step ${there.step}` : "";
    screen.line(screen.bold(`Not the same: the logs differ from event ${differs + 1} on${step}`));
    screen.line(`  recorded: ${comparable(recorded[differs])}`);
    screen.line(`  repeated: ${comparable(again[differs])}`);
    return DIFFERS;
  }
  const [before, now] = [run, repeated].map((folder) => weightsOf(folder)) as [Weights, Weights];
  const names = Object.keys(before);
  const other = names.find((name) => !sameBits(before[name], now[name]));
  if (other !== undefined || names.length !== Object.keys(now).length) {
    screen.line(screen.bold(`Not the same: the logs agree, the weights do not, first ${other ?? "in their names"}`));
    return DIFFERS;
  }
  const numbers = names.reduce((sum, name) => sum + (before[name]?.data.length ?? 0), 0);
  screen.line(
    screen.bold(
      `The same bits: ${formatCount(steps)} steps, ${names.length} arrays of ${formatCount(numbers)} numbers`,
    ),
  );
  return 0;
}

type Weights = Readonly<Record<string, HostArray>>;

function weightsOf(run: string): Weights {
  const file = join(run, MODEL_FILE);
  if (!existsSync(file)) throw new DataError(`reproduce: ${file} is missing; expected the model of a run.`, file);
  return decodeSafetensors(readFileSync(file), file).tensors;
}

function sameBits(a: HostArray | undefined, b: HostArray | undefined): boolean {
  if (a === undefined || b === undefined || a.data.byteLength !== b.data.byteLength) return false;
  const bytes = ({ data }: HostArray): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return bytes(a).equals(bytes(b));
}
