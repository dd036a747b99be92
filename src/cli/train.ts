import { readFileSync } from "node:fs";
import { DataError, OptionError } from "../core/errors.ts";
import { type Dataset, sampleCount } from "../data/dataset.ts";
import { parse as parseAugment } from "../nn/augment/index.ts";
import * as nn from "../nn/index.ts";
import { type ModelRow, models } from "../nn/models/table.ts";
import { type DatasetProgress, resolveDataset } from "../node/datasets.ts";
import { atFlag, optimizerOf } from "./assemble.ts";
import { finished, fitRun, testRun } from "./fit-run.ts";
import { formatBytes, formatCount, formatNumber, formatPercent } from "./format.ts";
import { Progress } from "./progress.ts";
import { defaultValidation, type Recipe, recipeOf, shownEpochs } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import { newRun, type Session } from "./session.ts";
import { type Given, parseConfig } from "./settings.ts";
import { withTensorboard } from "./tensorboard.ts";
import { trainText } from "./text.ts";
import { trainPictures } from "./train-pictures.ts";
import { trainTable } from "./train-table.ts";
import { namingFile, readWeights, WeightsNote } from "./weights.ts";

export type TrainFlags = { readonly given: Given; readonly config?: string; readonly verbose: boolean };

/** `downhill train`: answers the exit code. */
export async function train(screen: Screen, flags: TrainFlags): Promise<number> {
  const recipe = recipeOf(flags.given, flags.config === undefined ? {} : readConfig(flags.config));
  return trainRecipe(screen, recipe, newRun(screen, recipe, flags.verbose));
}

/** Trains as the recipe says: answers the exit code. */
export async function trainRecipe(screen: Screen, recipe: Recipe, given: Session): Promise<number> {
  const session = withTensorboard(screen, recipe, given);
  if (recipe.pictures !== undefined) return trainPictures(screen, { ...recipe, pictures: recipe.pictures }, session);
  const optimizer = optimizerOf(recipe);
  if (recipe.text !== undefined) return trainText(screen, { ...recipe, text: recipe.text }, optimizer, session);
  if (recipe.table !== undefined) return trainTable(screen, { ...recipe, table: recipe.table }, optimizer, session);
  const augment = recipe.augment === undefined ? [] : atFlag("augment", () => parseAugment(recipe.augment ?? ""));
  const data = await loadData(screen, recipe);
  const { classes } = data.train;
  if (classes === undefined)
    throw new DataError(`train: got values as targets of ${recipe.data}; expected labels.`, recipe.data);
  const total = sampleCount(data.train);
  const resolved = { ...recipe, validation: recipe.validation ?? defaultValidation(total) };
  if (resolved.validation >= total)
    throw new OptionError(
      `--validation: got ${resolved.validation} of ${total} training ${samplesOf(data.train)}; expected fewer than there are.`,
      "validation",
    );
  const row = models.find(({ name }) => name === recipe.model) as ModelRow;
  const model = row.create({ classes: classes.length });
  const weights = recipe.weights === undefined ? undefined : await readWeights(recipe.weights);
  describe(screen, resolved, data.train, classes.length);

  session.show?.(data.train.inputs);
  const ended = await fitRun(screen, { recipe: resolved, session }, model as never, {
    train: data.train,
    validation: resolved.validation,
    loss: nn.crossEntropy(),
    metrics: [nn.accuracy()],
    optimizer,
    augment,
    name: `${data.train.name.replaceAll(/[^\w.-]+/g, "-")}-${recipe.model}`,
    before: [
      ...(weights === undefined ? [] : [new WeightsNote(screen, recipe.weights ?? "", weights)]),
      new Progress(screen, { epochs: shownEpochs(recipe), verbose: session.verbose }),
    ],
    ...(weights === undefined ? {} : { weights, strict: recipe.strict ?? true }),
  }).catch((error: unknown) => {
    throw recipe.weights === undefined ? error : namingFile(error, recipe.weights);
  });
  if (ended.run === undefined) return ended.exitCode;
  const { run, sink } = ended;
  const { metrics, tested } = await testRun(run, data.test);
  const { loss, accuracy } = metrics;
  const samples = `${formatCount(sampleCount(data.test))} ${samplesOf(data.test)}`;
  screen.line();
  screen.line(screen.bold(`Test accuracy ${formatPercent(accuracy)} (loss ${formatNumber(loss)}) on ${samples}`));
  return finished(screen, { run, sink, session }, tested);
}

export function readConfig(file: string): Given {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const reason =
      (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (error as Error).message;
    throw new OptionError(`--config: cannot read ${file}: ${reason}.`, file);
  }
  try {
    return parseConfig(JSON.parse(text), file);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new OptionError(`--config: ${file} is no JSON: ${error.message}.`, file);
  }
}

export async function loadData(
  screen: Screen,
  recipe: Pick<Recipe, "data" | "dataDir" | "target">,
): Promise<{ train: Dataset; test: Dataset }> {
  const onProgress = ({ dataset, receivedBytes, totalBytes }: DatasetProgress): void => {
    const percent = Math.floor((100 * receivedBytes) / totalBytes);
    screen.draw(`downloading ${dataset} ${percent}% of ${formatBytes(totalBytes)}`);
  };
  try {
    return await resolveDataset(recipe.data, {
      onProgress,
      ...(recipe.dataDir === undefined ? {} : { dataDir: recipe.dataDir }),
      ...(recipe.target === undefined ? {} : { targets: recipe.target }),
    });
  } finally {
    screen.erase();
  }
}

const samplesOf = ({ inputs }: Dataset): string => (inputs.shape.length > 2 ? "images" : "rows");

function describe(
  screen: Screen,
  recipe: Recipe & { readonly validation: number },
  data: Dataset,
  classes: number,
): void {
  const total = sampleCount(data);
  const held = recipe.validation < 1 ? Math.round(total * recipe.validation) : recipe.validation;
  const shape = data.inputs.shape.slice(1).join("x");
  const hypers = Object.entries(recipe.hypers).map(([name, value]) => `, ${name} ${value}`);
  const rate = recipe.lr === undefined ? "" : `, rate ${recipe.lr} (${recipe.schedule})`;
  const around = Object.entries({
    ...(recipe.augment === undefined ? {} : { augment: recipe.augment }),
    ...recipe.processing,
  }).map(([name, value]) => `${name} ${[value].flat().join("; ")}`);
  screen.line(
    `${data.name}: ${formatCount(total - held)} training and ${formatCount(held)} validation ${samplesOf(data)} of ${shape}, ${classes} classes`,
  );
  screen.line(
    `${recipe.model}, ${recipe.optimizer}${rate}${hypers.join("")}, ` +
      `batch ${recipe.batchSize}, ${recipe.epochs} epoch${recipe.epochs === 1 ? "" : "s"}, seed ${recipe.seed}`,
  );
  if (around.length > 0) screen.line(around.join(", "));
}
