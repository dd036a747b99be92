import { OptionError } from "../core/errors.ts";
import { classWeights } from "../data/class-weights.ts";
import { classCounts, type Dataset, sampleCount } from "../data/dataset.ts";
import { parse as parseAugment } from "../nn/augment/index.ts";
import * as nn from "../nn/index.ts";
import { layerFromConfig } from "../nn/layer-from-config.ts";
import { type ModelRow, models } from "../nn/models/table.ts";
import { withClasses } from "../nn/models/with-classes.ts";
import type { DataCard } from "../node/pictures/card.ts";
import type { Skipped } from "../node/pictures/find.ts";
import type { ImageFolder, ImageFolderOptions } from "../node/pictures/image-folder.ts";
import { atFlag, optimizerOf } from "./assemble.ts";
import { type Base, BODY_RATE, baseOf, held, startOf } from "./fine-tune.ts";
import { finished, fitRun, type Tested, testRun } from "./fit-run.ts";
import { formatCount, formatNumber, formatPercent } from "./format.ts";
import type { PictureRecipe } from "./picture-recipe.ts";
import { Progress } from "./progress.ts";
import { type Recipe, shownEpochs } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import type { Session } from "./session.ts";
import { namingFile, readWeights, WeightsNote } from "./weights.ts";

export type PictureRun = Recipe & { readonly pictures: PictureRecipe };

/** Pictures that a run looks at when nobody says for how many epochs. */
const SEEN = 40_000;
const [MIN_EPOCHS, MAX_EPOCHS] = [3, 40];
/** From so many pictures on a batch is larger, and changing them at random is not needed. */
const MANY = 20_000;
/** Enlarged parts, not moved pictures: those have black edges, where most pictures have a white ground. */
const FEW_AUGMENT = "flip, resizedCrop 0.6";

/** `downhill train` on folders of pictures: answers the exit code. */
export async function trainPictures(screen: Screen, given: PictureRun, session: Session): Promise<number> {
  const base = given.pictures.fineTune === undefined ? undefined : await baseOf(given, given.pictures.fineTune);
  const data = await readPictures(screen, given, base);
  const { train } = data;
  const classes = train.classes as readonly string[];
  const recipe = decided(given, train, base);
  const config = base === undefined ? undefined : withClasses(base.model, classes.length);
  const row = models.find(({ name }) => name === recipe.model) as ModelRow;
  const model = config === undefined ? row.create({ classes: classes.length }) : layerFromConfig(config);
  const augment = recipe.augment === undefined ? [] : atFlag("augment", () => parseAugment(recipe.augment ?? ""));
  const optimizer = optimizerOf(base === undefined ? recipe : held(recipe, base.head));
  const loaded = recipe.weights === undefined ? undefined : await readWeights(recipe.weights);
  const [from, weights] =
    base === undefined ? [recipe.weights ?? "", loaded] : [base.from, startOf(base, classes.length)];
  for (const line of [...cardLines(data.card), ...recipeLines(recipe, base)]) screen.line(line);
  for (const warning of data.card.warnings)
    if (!(recipe.pictures.classWeights === "balanced" && warning.includes("--class-weights")))
      screen.line(`Warning: ${warning}`);
  session.show?.(train.inputs);
  const ended = await fitRun(screen, { recipe, session }, model as never, {
    train,
    validation: data.validation ?? 0,
    loss: nn.crossEntropy(
      recipe.pictures.classWeights === "balanced" ? { weight: classWeights(classCounts(train), "balanced") } : {},
    ),
    metrics: [nn.accuracy()],
    optimizer,
    augment,
    name: `${train.name.replaceAll(/[^\w.-]+/g, "-")}-${base === undefined ? recipe.model : "tuned"}`,
    before: [
      ...(weights === undefined ? [] : [new WeightsNote(screen, from, base?.body ?? weights)]),
      new Progress(screen, { epochs: shownEpochs(recipe), verbose: session.verbose }),
    ],
    ...(weights === undefined ? {} : { weights, strict: base === undefined && (recipe.strict ?? true) }),
  }).catch((error: unknown) => {
    throw weights === undefined ? error : namingFile(error, from);
  });
  if (ended.run === undefined) return ended.exitCode;
  const { run, sink } = ended;
  screen.line();
  let shown: Tested = { without: "No pictures were held out for a test." };
  if (data.test !== undefined) {
    const { metrics, tested } = await testRun(run, data.test);
    const { loss, accuracy } = metrics;
    shown = tested;
    screen.line(
      screen.bold(
        `Test accuracy ${formatPercent(accuracy)} (loss ${formatNumber(loss)}) on ${formatCount(sampleCount(data.test))} pictures`,
      ),
    );
    screen.line(mostCommon(data.test, train));
  }
  return finished(screen, { run, sink, session }, shown, [`Try it:  downhill predict ${sink.place} <pictures>`]);
}

/** What the number of pictures decides, and whether they are fine-tuned on. */
function decided(given: PictureRun, train: Dataset, base: Base | undefined): PictureRun {
  const count = sampleCount(train);
  const { pictures } = given;
  const batchSize = pictures.batchSize ?? (count >= MANY ? 64 : 32);
  const wanted = Math.round(SEEN / count);
  const epochs = pictures.epochs ?? Math.max(MIN_EPOCHS, Math.min(MAX_EPOCHS, wanted));
  const augment = given.augment ?? (count >= MANY ? undefined : FEW_AUGMENT);
  const tuning =
    base === undefined
      ? {}
      : { freezeEpochs: pictures.freezeEpochs ?? Math.floor(epochs / 4), bodyRate: pictures.bodyRate ?? BODY_RATE };
  return {
    ...given,
    model: base?.name ?? given.model,
    batchSize,
    epochs,
    augment: augment === "none" ? undefined : augment,
    pictures: { ...pictures, ...tuning, batchSize, epochs },
  };
}

/** Reads a recipe's folder as its training does. */
async function readPictures(
  screen: Screen,
  { data, validation, pictures }: PictureRun,
  base?: Pick<Base, "form" | "preprocessing">,
): Promise<ImageFolder> {
  const { imageFolder } = await import("../node/pictures/image-folder.ts");
  const { imageSize, fit, test, splitSeed, followLinks, maxBroken } = pictures;
  const form = base?.form;
  const size = form === undefined ? undefined : [form.height, form.width];
  const all = {
    imageSize: imageSize ?? size,
    fit: fit ?? form?.fit,
    channels: form?.channels,
    background: form?.background,
    preprocessing: base?.preprocessing,
    ...{ test, splitSeed, followLinks, maxBroken, validation },
  };
  const options = Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as ImageFolderOptions;
  const onProgress = (done: number, total: number): void =>
    screen.draw(`decoding ${formatCount(done)} of ${formatCount(total)} pictures`);
  try {
    return await imageFolder(data, { ...options, onProgress });
  } catch (error) {
    if (error instanceof OptionError && error.where !== undefined)
      throw new OptionError(error.message.replace(/^imageFolder: got \w+/, `--${error.where}: got`), error.where);
    throw error;
  } finally {
    screen.erase();
  }
}

/** Rows of the table of classes that are shown. */
const SHOWN_CLASSES = 12;
const SHOWN_FILES = 3;

/** What was found, in lines. */
function cardLines(card: DataCard): string[] {
  const { form, classes, sizes } = card;
  const { height, width, channels, fit } = form;
  const total = (part: "train" | "validation" | "test"): number => classes.reduce((sum, each) => sum + each[part], 0);
  const size = ([w, h]: readonly [number, number]): string => `${w}x${h}`;
  const formats = Object.entries(card.formats).map(([name, count]) => `${formatCount(count)} ${name}`);
  const traits = [
    [card.transparent, "transparent"],
    [card.grey, "without colour"],
    [card.rotated, "turned by EXIF"],
    [card.deep, "of 16 bits"],
  ] as const;
  const said = traits.filter(([count]) => count > 0).map(([count, what]) => `${formatCount(count)} ${what}`);
  const longest = Math.min(30, Math.max(7, ...classes.map(({ name }) => name.length)));
  const row = (name: string, cells: readonly (string | number)[]): string =>
    `  ${name.slice(0, longest).padEnd(longest)}${cells.map((cell) => (typeof cell === "number" ? formatCount(cell) : cell).padStart(11)).join("")}`;
  const shown = classes.length > SHOWN_CLASSES ? classes.slice(0, SHOWN_CLASSES - 1) : classes;
  const rest = classes.slice(shown.length);
  const sum = (part: "train" | "validation" | "test"): number => rest.reduce((all, each) => all + each[part], 0);
  return [
    `${card.source}: ${formatCount(card.pictures)} pictures of ${classes.length} classes, as ${height}x${width} ${channels === 1 ? "grey" : "RGB"} (${fit})`,
    row("class", ["train", "validation", "test"]),
    ...shown.map(({ name, train, validation, test }) => row(name, [train, validation, test])),
    ...(rest.length > 0 ? [row(`${rest.length} more`, [sum("train"), sum("validation"), sum("test")])] : []),
    row("all", [total("train"), total("validation"), total("test")]),
    `  ${size(sizes.smallest)} to ${size(sizes.largest)} pixels, median ${size(sizes.median)}; ${formats.join(", ")}`,
    ...(said.length > 0 ? [`  ${said.join(", ")}`] : []),
    ...leftOut(card),
  ];
}

function leftOut(card: DataCard): string[] {
  const byReason = new Map<string, Skipped[]>();
  for (const each of card.skipped) byReason.set(each.reason, [...(byReason.get(each.reason) ?? []), each]);
  const files = (count: number): string => `${formatCount(count)} ${count === 1 ? "file" : "files"}`;
  const groups: readonly (readonly [string, readonly Skipped[]])[] = [
    ["broken", card.broken],
    ["the same picture in several classes", card.contradictions],
    ["the same picture again", card.duplicates],
    ["the same picture as one that is held out", card.leaks],
    ...[...byReason].map(([reason, list]) => [reason.replace(/^(is|lies) /, ""), list] as const),
  ];
  const lines = groups
    .filter(([, list]) => list.length > 0)
    .flatMap(([what, list]) => {
      const named =
        what === "broken" ? list.slice(0, SHOWN_FILES).map(({ name, reason }) => `    ${name} ${reason}`) : [];
      const example = what === "broken" ? "" : `, such as ${list[0]?.name}`;
      return [`  left out: ${files(list.length)}: ${what}${example}`, ...named];
    });
  if (card.links > 0) lines.push(`  left out: ${formatCount(card.links)} symbolic links (--follow-links takes them)`);
  return lines;
}

function recipeLines(recipe: PictureRun, base: Base | undefined): string[] {
  const { lr, schedule, epochs, batchSize, seed, augment, pictures } = recipe;
  const rate = lr === undefined ? "" : `, rate ${lr} (${schedule})`;
  const hypers = Object.entries({ ...recipe.hypers, ...recipe.processing }).map(
    ([name, value]) => `, ${name} ${[value].flat().join("; ")}`,
  );
  const weighted = pictures.classWeights === "balanced" ? ", classes weighted alike" : "";
  const { freezeEpochs = 0, bodyRate = BODY_RATE } = pictures;
  return [
    `${base === undefined ? recipe.model : `the model of ${base.from}`}, ${recipe.optimizer}${rate}${hypers.join("")}`,
    ...(base === undefined
      ? []
      : [
          `new last layer ${base.head}, of zeros; all before it at ${bodyRate} times the rate${freezeEpochs > 0 ? `, frozen for ${freezeEpochs} ${freezeEpochs === 1 ? "epoch" : "epochs"}` : ""}`,
        ]),
    `batch ${batchSize}, ${epochs} epoch${epochs === 1 ? "" : "s"}, seed ${seed}, augment ${augment ?? "none"}${weighted}`,
  ];
}

/** What a guess reaches that does not look at the picture. */
function mostCommon(test: Dataset, train: Dataset): string {
  const counts = classCounts(train);
  const most = counts.indexOf(Math.max(...counts));
  const right = (classCounts(test)[most] as number) / sampleCount(test);
  return `Always saying ${(train.classes ?? [])[most]} would be right for ${formatPercent(right)}`;
}
