import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { OptionError } from "../core/errors.ts";
import { reasonOf } from "../node/file-store.ts";
import { type Given, parseConfig } from "./settings.ts";

const PARENT = v.object({ run: v.string(), step: v.number(), checkpoint: v.string() });
const CHANGE = v.object({ step: v.number(), before: v.record(v.string(), v.unknown()) });

/** What a run's `config.json` says: its settings, and what happened to it. */
export type RunRecord = {
  readonly settings: Given;
  /** Where it was branched off. */
  readonly parent: v.InferOutput<typeof PARENT> | undefined;
  /** Settings that a later session changed: at which step, and what they were until then. */
  readonly changes: readonly v.InferOutput<typeof CHANGE>[];
  readonly whole: Readonly<Record<string, unknown>>;
};

/** Throws OptionError where the folder holds no run, or a damaged record. */
export function readRecord(run: string): RunRecord {
  const file = join(run, "config.json");
  if (!existsSync(run))
    throw new OptionError(
      `run: got ${run}; expected the folder of a run, such as runs/2025-01-31-142530-mnist-cnn.`,
      run,
    );
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    const reason = error instanceof SyntaxError ? `it is no JSON: ${error.message}` : reasonOf(error);
    throw new OptionError(`run: cannot read ${file}: ${reason}. Expected the folder of a run.`, run);
  }
  const settings = parseConfig(json, file);
  const whole = json as Readonly<Record<string, unknown>>;
  const part = <T>(key: string, schema: v.GenericSchema<unknown, T>, missing: T): T => {
    const read = v.safeParse(schema, whole[key] ?? missing);
    if (read.success) return read.output;
    throw new OptionError(
      `${file}: ${key}: got ${JSON.stringify(whole[key])}; expected what a run writes there.`,
      file,
    );
  };
  return {
    settings,
    parent: part("parent", v.optional(PARENT), undefined),
    changes: part("changes", v.array(CHANGE), []),
    whole,
  };
}
