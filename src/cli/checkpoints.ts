import { existsSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../core/errors.ts";
import { CheckpointFolder } from "../node/checkpoint-folder.ts";
import { fileSize } from "../node/file-store.ts";
import { type Checkpoint, checkpointName, stepOfName } from "../train/checkpoints/checkpoint.ts";
import { namesOf, readCheckpoint } from "../train/checkpoints/keeper.ts";
import { bestOf, checkpointPolicy } from "../train/checkpoints/policy.ts";
import { formatBytes, formatCount, formatNumber } from "./format.ts";
import type { Screen } from "./screen.ts";

type Listed = { readonly name: string; readonly read: Checkpoint | string };

async function readAll(run: string): Promise<Listed[]> {
  if (!existsSync(join(run, "config.json")))
    throw new OptionError(`run: got ${run}, which has no config.json; expected the folder of a run.`, run);
  const store = new CheckpointFolder(run);
  const names = await namesOf(store);
  return Promise.all(names.map(async (name) => ({ name, read: await readCheckpoint(store, name) })));
}

function bestIn(all: readonly Listed[]): Checkpoint | undefined {
  const good = all.flatMap(({ read }) => (typeof read === "string" ? [] : [read]));
  const best = bestOf(
    checkpointPolicy(),
    good.map(({ step, metrics, pinned }) => ({
      name: checkpointName(step),
      step,
      metrics: metrics ?? undefined,
      pinned,
    })),
  );
  return good.find(({ step }) => step === best?.step);
}

/** The checkpoint at a step, the `last` good or the `best` of a run. Throws OptionError that names those there are. */
export async function findCheckpoint(run: string, which: string): Promise<Checkpoint> {
  const all = await readAll(run);
  const good = all.flatMap(({ read }) => (typeof read === "string" ? [] : [read]));
  const step = /^\d+$/.test(which) ? Number(which) : stepOfName(which);
  const damaged = all.find(({ name }) => step !== undefined && stepOfName(name) === step)?.read;
  if (typeof damaged === "string") throw new OptionError(`--from: ${damaged}`, "from");
  const found =
    which === "last" ? good[0] : which === "best" ? bestIn(all) : good.find((checkpoint) => checkpoint.step === step);
  if (found !== undefined) return found;
  const there = good.map((checkpoint) => checkpoint.step).join(", ") || "none";
  throw new OptionError(
    `--from: got ${which}; expected best, last or the step of a checkpoint of ${run}: ${there}.`,
    "from",
  );
}

/** `downhill checkpoints`: what there is to go on from. */
export async function listCheckpoints(screen: Screen, run: string): Promise<void> {
  const all = await readAll(run);
  const best = bestIn(all)?.step;
  if (all.length === 0) screen.line(`${run} has no checkpoints: downhill resume starts over.`);
  for (const { name, read } of all) {
    const size = formatBytes((await fileSize(new CheckpointFolder(run).fileOf(name))) ?? 0);
    if (typeof read === "string") {
      screen.line(`${name}  ${size.padStart(9)}  damaged: ${read}`);
      continue;
    }
    const { step, epoch, done, metrics } = read;
    const place = done > 0 ? `epoch ${epoch}, ${formatCount(done)} steps into it` : `after epoch ${epoch - 1}`;
    const of = metrics?.validation.loss === undefined ? "train" : "validation";
    const loss =
      metrics?.[of].loss === undefined
        ? ""
        : `, ${of === "train" ? "training" : of} loss ${formatNumber(metrics[of].loss)}`;
    const notes = [...(step === best ? ["best"] : []), ...(read.pinned ? ["start of the branch"] : [])];
    screen.line(
      `${name}  ${size.padStart(9)}  ${step === 0 ? "the start" : place}${loss}${notes.length > 0 ? ` (${notes.join(", ")})` : ""}`,
    );
  }
}
