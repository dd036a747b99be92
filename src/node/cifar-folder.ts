import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { DataError } from "../core/errors.ts";
import { listFolder, reasonOf } from "./file-store.ts";
import type { TrainTest } from "./idx-folder.ts";
import { CIFAR10, CIFAR100, type KnownDataset } from "./known-datasets.ts";
import { type CifarForm, readCifar } from "./known-forms.ts";

/** Which CIFAR the files of a folder are of, by their names: `data_batch_1.bin` and so on, or `train.bin`. */
export function cifarAmong(names: readonly string[]): { known: KnownDataset; form: CifarForm } | undefined {
  for (const known of [CIFAR10, CIFAR100]) {
    const form = known.form as CifarForm;
    const train = form.train.filter((name) => names.includes(name));
    if (train.length > 0) return { known, form: { ...form, train } };
  }
  return undefined;
}

/**
 * CIFAR-10 or CIFAR-100 from a folder with the `.bin` files of its archive, or with some of those to train on. Undefined where the
 * folder has none. Throws DataError naming a file that is missing, truncated or of the other kind.
 */
export async function datasetFromCifarFolder(folder: string): Promise<TrainTest | undefined> {
  const names = await listFolder(folder);
  const found = cifarAmong(names);
  if (found === undefined) return undefined;
  const { known, form } = found;
  const missing = form.test.filter((name) => !names.includes(name));
  if (missing.length > 0)
    throw new DataError(`data: ${folder} has ${form.train.join(", ")}, but no ${missing.join(", ")}.`, folder);
  return readCifar(known, form, folder, filesOf(folder, [...form.train, ...form.test]));
}

async function* filesOf(
  folder: string,
  names: readonly string[],
): AsyncGenerator<readonly [string, Uint8Array], void, void> {
  for (const name of names) {
    const path = join(folder, name);
    yield [
      name,
      await readFile(path).catch((error: unknown) => {
        throw new DataError(`data: cannot read ${path}: ${reasonOf(error)}.`, path);
      }),
    ];
  }
}
