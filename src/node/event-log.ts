import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../core/errors.ts";
import { decodeEventLog } from "../train/event-log.ts";
import type { TrainEvent } from "../train/events.ts";
import { reasonOf } from "./file-store.ts";

/**
 * The events of a run's folder. Throws DataError, which begins with `what` was asked for, where there are none or they are
 * damaged.
 *
 * @example
 * readEvents("runs/2025-01-31-142530-mnist-cnn").at(-1)?.type // -> "test"
 */
export function readEvents(run: string, what = "events"): readonly TrainEvent[] {
  const file = join(run, "events.jsonl");
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new DataError(`${what}: cannot read ${file}: ${reasonOf(error)}. Expected the folder of a run.`, file);
  }
  return decodeEventLog(bytes, file).events;
}
