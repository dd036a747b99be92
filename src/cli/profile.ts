import { OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { type Dataset, dataset } from "../data/dataset.ts";
import * as nn from "../nn/index.ts";
import { type ModelRow, models } from "../nn/models/table.ts";
import { writeFileAtomic } from "../node/file-store.ts";
import { KNOWN_DATASETS } from "../node/known-datasets.ts";
import { profile as profileModel } from "../node/profile.ts";
import { readText } from "../node/text.ts";
import type { Transform } from "../optim/transform.ts";
import type { GroupBy } from "../train/profile/group.ts";
import type { Profile } from "../train/profile/measure.ts";
import { optimizerOf } from "./assemble.ts";
import { drawProfile } from "./profile-picture.ts";
import { phaseBars, profileHead, profileTable } from "./profile-table.ts";
import { backendOf, type Recipe, recipeOf } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import type { Given } from "./settings.ts";
import { prepareText } from "./text.ts";
import { loadData } from "./train.ts";

export type ProfileFlags = {
  /** A model by name, on noise; or data as `train` takes them. */
  readonly subject: string;
  readonly given: Given;
  readonly steps: number | undefined;
  readonly by: GroupBy;
  readonly top: number;
  readonly json: boolean;
  readonly svg: string | undefined;
  readonly ascii: boolean;
};

/** Batches of noise that a model known by name is profiled on. */
const BATCHES = 2;
const TEXT_BYTES = 100_000;

/** `downhill profile`: where the time of one training step goes. */
export async function profileCommand(screen: Screen, flags: ProfileFlags): Promise<void> {
  const { subject, given } = flags;
  const named = models.some(({ name }) => name === subject) || subject === "gpt";
  if (named && given.model !== undefined)
    throw new OptionError(`--model: got ${given.model} beside the model ${subject}; expected one of the two.`, "model");
  if (!named && /^[\w-]+$/.test(subject) && !KNOWN_DATASETS.some(({ name }) => name === subject))
    throw new OptionError(
      `profile: got ${JSON.stringify(subject)}; expected a model, such as resnet20 (downhill models lists them), ${KNOWN_DATASETS.map(({ name }) => name).join(", ")}, a folder such as ./digits or a text such as book.txt.`,
      "data",
    );
  // Noise stands in for data; the recipe needs some name.
  const recipe = recipeOf({ ...given, ...(named ? { data: "mnist", model: subject } : { data: subject }) }, {});
  if (recipe.table !== undefined)
    throw new OptionError(
      `profile: got the table ${subject}; expected a model of pictures or texts, or its data.`,
      subject,
    );
  const { profile, about } = await measure(screen, recipe, named, optimizerOf(recipe), flags.steps);
  const title = `${recipe.model} on ${about}, batch ${recipe.batchSize}, ${recipe.optimizer}`;
  const engine = `${profile.backend}, ${profile.threads} thread${profile.threads === 1 ? "" : "s"}, Node ${process.versions.node}`;
  if (flags.svg !== undefined) await writeFileAtomic(flags.svg, drawProfile(profile, `${title}; ${engine}`));
  if (flags.json) {
    const { model, optimizer: rule, batchSize } = recipe;
    const head = { model, data: about, optimizer: rule, batchSize, node: process.versions.node };
    screen.line(JSON.stringify({ ...head, ...profile }, null, 2));
    return;
  }
  screen.line(screen.bold(title));
  screen.line(engine);
  for (const note of profile.notes) screen.line(note);
  for (const line of profileHead(profile)) screen.line(line);
  screen.line();
  for (const line of phaseBars(profile, flags)) screen.line(line);
  screen.line();
  const [head = "", ...rows] = profileTable(profile, { ...flags, columns: screen.columns });
  screen.line(screen.bold(head));
  for (const row of rows) screen.line(row);
  if (flags.svg !== undefined) screen.line(`Wrote ${flags.svg}`);
}

/** The profile, and what it was measured on. */
async function measure(
  screen: Screen,
  recipe: Recipe,
  named: boolean,
  optimizer: Transform,
  steps: number | undefined,
): Promise<{ readonly profile: Profile; readonly about: string }> {
  const { batchSize, seed } = recipe;
  const options = { ...backendOf(recipe), optimizer, batchSize, seed, ...(steps === undefined ? {} : { steps }) };
  try {
    if (recipe.text !== undefined) {
      const { layers, heads, width, block, dropout } = recipe.text;
      const { tokenizer, data } = prepareText(named ? noiseText() : readText(recipe.data), {
        ...recipe,
        text: recipe.text,
      });
      const { vocabSize } = tokenizer;
      const model = nn.gpt({ vocabSize, blockSize: block, layers, heads, width, dropout });
      const loss = nn.crossEntropy({ classAxis: -1 });
      screen.draw("measuring");
      const profile = await profileModel(model, { ...options, train: data.train, loss });
      return { profile, about: `${named ? "noise" : recipe.data} of ${vocabSize} tokens` };
    }
    const row = models.find(({ name }) => name === recipe.model) as ModelRow;
    const train = named ? noise(row, batchSize) : (await loadData(screen, recipe)).train;
    const model = row.create({ classes: train.classes?.length ?? row.classes });
    screen.draw("measuring");
    const profile = await profileModel(model, {
      ...options,
      train,
      loss: nn.crossEntropy(),
      metrics: [nn.accuracy()],
    });
    return { profile, about: `${train.name} of ${train.inputs.shape.slice(1).join("x")}` };
  } finally {
    screen.erase();
  }
}

/** Bytes that look like nothing: a linear congruential generator's upper ones. */
function* noiseBytes(): Generator<number> {
  for (let state = 1; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 24;
  }
}

function noise({ input: [channels, side], classes }: ModelRow, batchSize: number): Dataset {
  const count = BATCHES * batchSize;
  const bytes = noiseBytes();
  const take = (length: number): Uint8Array => Uint8Array.from({ length }, () => bytes.next().value as number);
  return dataset(
    new HostArray("u8", [count, channels, side, side], take(count * channels * side * side)),
    new HostArray(
      "i32",
      [count],
      Int32Array.from(take(count), (byte) => byte % classes),
    ),
    { name: "noise", classes },
  );
}

function noiseText(): Uint8Array {
  const bytes = noiseBytes();
  return Uint8Array.from({ length: TEXT_BYTES }, () => 97 + ((bytes.next().value as number) % 26));
}
