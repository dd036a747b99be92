import { basename, join } from "node:path";
import { OptionError } from "../core/errors.ts";
import { CheckpointFolder } from "../node/checkpoint-folder.ts";
import { writeFileAtomic } from "../node/file-store.ts";
import { RunFolder } from "../node/run-folder.ts";
import { type Checkpoint, checkpointName } from "../train/checkpoints/checkpoint.ts";
import { namesOf, readCheckpoint } from "../train/checkpoints/keeper.ts";
import type { Callback } from "../train/events.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { recipeOf } from "./recipe.ts";
import { type RunRecord, readRecord } from "./run-record.ts";
import type { Screen } from "./screen.ts";
import { type Session, sayResumed, sayRollbacks } from "./session.ts";
import type { Given } from "./settings.ts";
import { trainRecipe } from "./train.ts";

export type GoOnFlags = { readonly run: string; readonly given: Given; readonly verbose: boolean };

/** `downhill resume`: goes on with a run from its newest good checkpoint. Answers the exit code. */
export async function resume(screen: Screen, { run, given, verbose }: GoOnFlags): Promise<number> {
  const record = readRecord(run);
  const recipe = recipeOf(given, record.settings);
  const parent = record.parent;
  const session: Session = {
    verbose,
    branch: parent === undefined ? undefined : await parentCheckpoint(run, parent),
    callbacks: [sayRollbacks(screen), sayResumed(screen, `Resuming ${run}`), noteChanges(run, record, given)],
    open: (config) => RunFolder.open(run, { config: parent === undefined ? config : { ...config, parent } }),
  };
  return trainRecipe(screen, recipe, session);
}

/** Writes into the run's record, once training goes on, what is different from then on. */
function noteChanges(run: string, record: RunRecord, given: Given): Callback {
  const changed = Object.entries(given).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(record.settings[name]),
  );
  return {
    name: "changes",
    async on(event) {
      if (event.type !== "resume" || event.file === undefined || changed.length === 0) return;
      const settings = Object.fromEntries(changed.map(([name]) => [name, record.settings[name] ?? null]));
      // What was set before that step stands in the list, what is set now in the record itself.
      const changes = [
        ...record.changes.filter(({ step }) => step <= event.step),
        { step: event.step, before: settings },
      ];
      const whole = { ...record.whole, ...Object.fromEntries(changed), changes };
      await writeFileAtomic(join(run, "config.json"), `${JSON.stringify(whole, null, 2)}\n`);
    },
  };
}

/** The start of a branch that was killed before it had a checkpoint of its own. */
async function parentCheckpoint(
  run: string,
  parent: { readonly run: string; readonly checkpoint: string },
): Promise<Checkpoint | undefined> {
  const own = await namesOf(new CheckpointFolder(run));
  if (own.length > 0) return undefined;
  const read = await readCheckpoint(new CheckpointFolder(parent.run), parent.checkpoint);
  if (typeof read !== "string") return read;
  throw new OptionError(`resume: ${run} has no checkpoint, and its parent's is gone: ${read}`, run);
}

/** `downhill branch`: a new run that goes on from a checkpoint of another. Answers the exit code. */
export async function branch(screen: Screen, flags: GoOnFlags & { readonly from: string }): Promise<number> {
  const { run, given, verbose, from } = flags;
  const record = readRecord(run);
  const recipe = recipeOf(given, record.settings);
  const checkpoint = await findCheckpoint(run, from);
  const parent = { run, step: checkpoint.step, checkpoint: checkpointName(checkpoint.step) };
  return trainRecipe(screen, recipe, {
    verbose,
    branch: { ...checkpoint, run: basename(run) },
    callbacks: [sayRollbacks(screen), sayResumed(screen, `Branching off ${run}`)],
    open: (config) => new RunFolder({ out: recipe.out, config: { ...config, parent } }),
  });
}
