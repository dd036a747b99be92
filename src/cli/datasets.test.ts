import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { OptionError } from "../core/errors.ts";
import * as augment from "../nn/augment/index.ts";
import { optimizerOf } from "./assemble.ts";
import { datasetsCommand } from "./datasets.ts";
import { recipeOf } from "./recipe.ts";
import { Screen } from "./screen.ts";
import { parseFlag } from "./settings.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-cli-datasets-"));
  vi.stubEnv("DOWNHILL_CACHE", folder);
  vi.stubEnv("DOWNHILL_OFFLINE", "1");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

async function run(...words: string[]): Promise<string> {
  let written = "";
  const stream = { isTTY: false, write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
  await datasetsCommand(new Screen(stream)).exitOverride().parseAsync(words, { from: "user" });
  return written;
}

describe("downhill datasets", () => {
  test("lists all with their sizes, sources, licences, and how to get them", async () => {
    const text = await run();
    for (const name of ["mnist", "fashion-mnist", "kmnist", "cifar10", "cifar100", "iris", "wine", "digits"])
      expect(text).toMatch(new RegExp(`^${name}  `, "m"));
    expect(text).toContain(
      [
        "cifar10  CIFAR-10, small colour photographs",
        "  50,000 training and 10,000 test images of 3x32x32, 10 classes",
        "  https://www.cs.toronto.edu/~kriz/cifar.html (licence: none stated; its page asks to cite the report)",
        '  takes longer, does better: downhill train cifar10 --model resnet20 --epochs 30 --schedule "warmup 5% | cosine" --augment "flip, crop 4"',
        "  not on this machine; downloaded when first used (162.2 MiB), or:",
        "  - put cifar-10-binary.tar.gz (or its files data_batch_1.bin,",
      ].join("\n"),
    );
    expect(text).toContain("  142 training and 36 test rows of 13 features, 3 classes\n");
  });

  test("suggests flags that there are", async () => {
    const [, line = ""] = /better: downhill train (cifar10 .*)/.exec(await run()) ?? [];
    const [data, ...words] = [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word);
    const given = words.flatMap((word, i) =>
      word.startsWith("--") ? [[word.slice(2), parseFlag(word.slice(2), words[i + 1] as string)]] : [],
    );
    const recipe = recipeOf({ data: data as string, ...Object.fromEntries(given) }, {});
    expect(recipe).toMatchObject({ model: "resnet20", epochs: 30, augment: "flip, crop 4" });
    expect(augment.parse(recipe.augment as string).length).toBe(2);
    expect(() => optimizerOf(recipe)).not.toThrow();
  });

  test("shows one, and where it is", async () => {
    const place = join(folder, "datasets", "kmnist");
    await mkdir(place, { recursive: true });
    for (const set of ["train", "t10k"])
      for (const kind of ["images-idx3", "labels-idx1"]) await writeFile(join(place, `${set}-${kind}-ubyte`), "");
    const text = await run("kmnist");
    expect(text).toContain(`\n  in ${place}\n`);
    expect(text).not.toContain("cifar");
  });

  test("refuses an unknown name, --download without one, and a download without a network", async () => {
    await expect(run("mnits")).rejects.toThrow(OptionError);
    await expect(run("mnits")).rejects.toThrow('datasets: got "mnits"; expected one of mnist, fashion-mnist,');
    await expect(run("--download")).rejects.toThrow("--download: got no data set");
    await expect(run("cifar10", "--download")).rejects.toThrow(
      `data: cifar10 is not on this machine, and the network is not to be used. Hint: put cifar-10-binary.tar.gz`,
    );
  });
});

test("a small data set has a recipe of its own; flags win", () => {
  const { model, optimizer, epochs, batchSize, schedule } = recipeOf({ data: "iris" }, {});
  expect({ model, optimizer, epochs, batchSize, schedule }).toEqual({
    ...{ model: "mlp", optimizer: "adam", epochs: 20, batchSize: 16, schedule: "constant" },
  });
  expect(recipeOf({ data: "iris", epochs: 3 }, { batchSize: 8 })).toMatchObject({ epochs: 3, batchSize: 8 });
  expect(recipeOf({ data: "iris", optimizer: "momentum" }, {})).toMatchObject({ optimizer: "momentum", epochs: 20 });
  expect(recipeOf({ data: "digits" }, {})).toMatchObject({ model: "cnn", epochs: 10 });
  expect(recipeOf({ data: "cifar10" }, {})).toMatchObject({ model: "cnn", optimizer: "momentum", epochs: 3 });
});
