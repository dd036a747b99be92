import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import { decodeSafetensors } from "../io/safetensors.ts";
import { decodeTorchFile } from "../io/torch-file.ts";
import { type StateDict, unwrapped } from "../nn/state-dict.ts";
import { weightsOf } from "../nn/torch-weights.ts";
import { reasonOf } from "../node/file-store.ts";
import type { OptimizerStateSource } from "../optim/optimizer-state.ts";
import type { Callback, TrainEvent } from "../train/events.ts";
import { MODEL_FILE } from "../train/load.ts";
import { decodeTorchOptimizer } from "../train/torch.ts";
import type { Screen } from "./screen.ts";

/** Names that a note lists before it counts the rest. */
const LISTED = 6;

/**
 * The arrays of a safetensors file, of a run's folder or of what torch.save wrote, without what DataParallel and torch.compile
 * put before their names.
 */
export async function readWeights(path: string): Promise<StateDict> {
  let file = path;
  let bytes: Uint8Array;
  try {
    if (statSync(path).isDirectory()) file = join(path, MODEL_FILE);
    bytes = readFileSync(file);
  } catch (error) {
    throw new OptionError(
      `--weights: cannot read ${file}: ${reasonOf(error)}; expected a safetensors file, a file of torch.save or a run's folder.`,
      "weights",
    );
  }
  if (/\.(pt|pth|bin)$/i.test(file)) return weightsOf(await decodeTorchFile(bytes, file), file);
  return unwrapped(decodeSafetensors(bytes, file).tensors);
}

/** What torch.save wrote of an optimizer's state. */
export async function readOptimizerState(file: string): Promise<OptimizerStateSource> {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new OptionError(
      `--optimizer-state: cannot read ${file}: ${reasonOf(error)}; expected a file of torch.save.`,
      "optimizerState",
    );
  }
  return decodeTorchOptimizer(bytes, file);
}

/** Says when training starts what of the file was left out. */
export class WeightsNote implements Callback {
  readonly name = "weights";
  private readonly screen: Screen;
  private readonly file: string;
  private readonly count: number;

  constructor(screen: Screen, file: string, weights: StateDict) {
    this.screen = screen;
    this.file = file;
    this.count = Object.keys(weights).length;
  }

  on(event: TrainEvent): void {
    if (event.type !== "start" || event.weights === undefined) return;
    const { missing, unexpected, mismatched } = event.weights;
    const taken = this.count - unexpected.length - mismatched.length;
    if (taken === 0)
      throw new OptionError(`--weights: got no array of this model in ${this.file}; expected at least one.`, "weights");
    this.screen.line(`${taken} arrays from ${this.file}`);
    const notes = [
      [missing, "not in the file, so drawn anew"],
      [mismatched, "of another size, so drawn anew"],
      [unexpected, "not in the model, so left out"],
    ] as const;
    for (const [names, what] of notes) if (names.length > 0) this.screen.line(`  ${what}: ${listed(names)}`);
  }
}

function listed(names: readonly string[]): string {
  const rest = names.length - LISTED;
  return `${names.slice(0, LISTED).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

/** An error of loading, with the file and what to do. */
export function namingFile(error: unknown, file: string): unknown {
  if (!(error instanceof DataError) || !error.message.startsWith("state: ")) return error;
  const text = error.message.replace("state: ", `--weights: ${file}: `);
  return new DataError(`${text}\nHint: --no-strict leaves out what does not fit.`, file);
}
