import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { DataError, OptionError } from "../../core/errors.ts";
import { decodeSafetensors } from "../../io/safetensors.ts";
import { EVENT_VERSION, encodeSummaryEvent, hyperparametersEnd, type Summary } from "../../io/tensorboard.ts";
import type { TrainEvent } from "../../train/events.ts";
import { MODEL_FILE } from "../../train/load.ts";
import { readEvents } from "../event-log.ts";
import { reasonOf, writeFileAtomic } from "../file-store.ts";
import { eventFileName, eventFilesIn } from "./event-file.ts";
import { filterSummaries, type Hyperparameters, startSummaries, summariesOf, weightSummaries } from "./summaries.ts";

export type TensorboardExport = {
  /** For the HParams page. Default: the names and numbers of the run's configuration. */
  readonly hyperparameters?: Hyperparameters;
};

const EXPORTED = "downhill-export";

/**
 * A recorded run as an event file for TensorBoard, from its `events.jsonl` and the weights of its `model.safetensors`: what
 * `tensorboard` writes while a run trains, but histograms and filters of the last weights alone. Times are those of training,
 * counted from the run's start. An earlier export is replaced. Answers the file.
 *
 * Errors: DataError where the run is not there or damaged; OptionError where the folder has other events.
 *
 * @example
 * await exportTensorboard("runs/2025-01-31-142530-mnist-cnn", "logs/mnist-cnn");
 */
export async function exportTensorboard(run: string, folder: string, options: TensorboardExport = {}): Promise<string> {
  const events = readEvents(run, "export");
  const [start] = events;
  if (start?.type !== "start")
    throw new DataError(`export: ${join(run, "events.jsonl")} does not begin with a start; expected a run's log.`, run);
  const other = eventFilesIn(folder).find((name) => !name.endsWith(EXPORTED));
  if (other !== undefined)
    throw new OptionError(
      `export: got ${folder}, which has other events (${other}); expected a folder for each run.`,
      folder,
    );
  const startMs = Number.isFinite(start.time) ? start.time : 0;
  const file = join(folder, eventFileName(startMs / 1000, EXPORTED));
  const records: Uint8Array[] = [];
  const add = (ms: number, step: number, summaries: readonly Summary[]): void => {
    if (summaries.length > 0) records.push(encodeSummaryEvent({ time: ms / 1000, step, summaries }));
  };
  records.push(encodeSummaryEvent({ time: startMs / 1000, step: 0, summaries: [], version: EVENT_VERSION }));
  add(startMs, 0, startSummaries({ ...start, time: startMs }, options.hyperparameters));
  const last = timed(events, startMs, (event, ms, step) => {
    if (event.type === "rollback")
      records.push(encodeSummaryEvent({ time: ms / 1000, step: event.to + 1, summaries: [], session: "start" }));
    add(ms, step, summariesOf(event));
    if (event.type === "end")
      add(ms, step, [hyperparametersEnd(event.reason === "failed" ? "failure" : "success", ms / 1000)]);
  });
  add(last.ms, last.step, await summariesOfModel(join(run, MODEL_FILE)));
  await writeFileAtomic(file, records);
  return file;
}

/** Hands out each event with its time in milliseconds and the steps that are done. */
function timed(
  events: readonly TrainEvent[],
  startMs: number,
  use: (event: TrainEvent, ms: number, step: number) => void,
): { readonly ms: number; readonly step: number } {
  let ms = startMs;
  let epochStartMs = startMs;
  let step = 0;
  for (const event of events) {
    const spentMs = "timeMs" in event && Number.isFinite(event.timeMs) ? event.timeMs : 0;
    if (event.type === "step" || event.type === "test") ms += spentMs;
    if (event.type === "epoch") {
      ms = Math.max(ms, epochStartMs + spentMs);
      epochStartMs = ms;
    }
    if (event.type === "rollback") step = event.to;
    else if ("step" in event) step = event.step;
    use(event, ms, step);
  }
  return { ms, step };
}

/** Nothing where the run has no model yet. */
async function summariesOfModel(file: string): Promise<Summary[]> {
  if (!existsSync(file)) return [];
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new DataError(`export: cannot read ${file}: ${reasonOf(error)}.`, file);
  }
  const { tensors } = decodeSafetensors(bytes, file);
  return [...weightSummaries(tensors), ...(await filterSummaries(tensors))];
}
