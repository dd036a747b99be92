import { stat } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { DataError, OptionError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import { type Dataset, dataset } from "../../data/dataset.ts";
import type { PictureFit, PictureForm } from "../../data/picture-form.ts";
import { measureStandardization, type Preprocessing } from "../../data/preprocessing.ts";
import { isMissing, reasonOf } from "../file-store.ts";
import { type DataCard, dataCard, isGrey, median } from "./card.ts";
import { type PictureHeader, readHeader, toForm } from "./decode.ts";
import { type FoundPicture, type FoundPictures, findPictures, LINK, type Part } from "./find.ts";
import { assignParts, distinct, type GoodPicture } from "./held-out.ts";
import { readPictureList } from "./list-file.ts";
import { checkBroken, type ReadPicture, readPictures, sideBySide } from "./read.ts";
import { decoderOf, loadSharp } from "./sharp.ts";

export type ImageFolderOptions = {
  /** Height and width of what the model sees, or both at once. Default: the pictures' own where they are alike and small, else 32, 48 or 64. */
  readonly imageSize?: number | readonly [height: number, width: number];
  /** Default: 1 where no picture has colour, else 3. */
  readonly channels?: 1 | 3;
  /** How another shape is made to fit. Default "contain": with borders. */
  readonly fit?: PictureFit;
  /** Red, green and blue of borders and behind transparent pictures. Default white. */
  readonly background?: readonly [number, number, number];
  /** Held out of each class to watch training by, where the folder does not say: a share, or a count of all. Default 0.1. */
  readonly validation?: number;
  /** Held out of each class for the end, where the folder does not say. Default 0.1. */
  readonly test?: number;
  /** Chooses what is held out. Another seed than the run's, so that runs can be compared. Default 0. */
  readonly splitSeed?: number;
  /** Default: measured on what is trained on. */
  readonly preprocessing?: Preprocessing;
  /** Names of the classes, for data that a model is evaluated on. Default: those of the folder, in the order of their letters. */
  readonly classes?: readonly string[];
  /** Follow symbolic links; each picture counts once. Default false. */
  readonly followLinks?: boolean;
  /** The share of pictures that may be broken; they are left out. Default 0.1. */
  readonly maxBroken?: number;
  /** Where decoded pictures are kept. Default: the system's folder for caches. */
  readonly cacheDir?: string;
  readonly signal?: AbortSignal;
  /** Called while pictures are decoded. */
  readonly onProgress?: (done: number, total: number) => void;
};

/** Pictures in memory, and what was found. */
export type ImageFolder = {
  readonly train: Dataset;
  /** Absent where nothing is held out. */
  readonly validation?: Dataset;
  readonly test?: Dataset;
  readonly card: DataCard;
};

/**
 * Pictures in folders, one for each class, as data sets: u8 [N, C, H, W] and labels. As torchvision's `ImageFolder` and Keras's
 * `image_dataset_from_directory`, but split, decoded once into a cache, and checked.
 *
 * `source` is such a folder, one with `train`, `val` and `test` of such folders, or a CSV or JSON lines file of paths and labels.
 * JPEG, PNG, WebP, GIF (the first frame), AVIF and TIFF of any mode, turned as EXIF says. Copies of a picture count once;
 * copies in several classes do not count at all. Needs the optional dependency `sharp`.
 *
 * Errors: DataError where there is no folder, fewer than two classes, too little to hold out, or too much is broken.
 *
 * @example
 * const { train, validation, test, card } = await imageFolder("./photos", { imageSize: 64 });
 * train.inputs.shape // -> [745, 3, 64, 64]
 */
export async function imageFolder(source: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  const { validation = 0.1, test = 0.1, splitSeed = 0, maxBroken = 0.1 } = options;
  checkShares({ validation, test, maxBroken });
  const found = await find(source, options.followLinks ?? false);
  const form = await formFor(found.pictures, options);
  const { cacheDir, signal, onProgress } = options;
  const read = await readPictures(found.pictures, {
    ...{ source, form },
    ...(cacheDir === undefined ? {} : { cacheDir }),
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
  });
  checkBroken(read, maxBroken, source);
  const unique = distinct(read.filter((each): each is GoodPicture => each.picture !== undefined));
  const { pictures } = unique;
  const classes = options.classes ?? classesLeft(pictures, found.classes, source);
  checkClasses(pictures, classes, source);
  const parts = assignParts(pictures, { validation, test }, splitSeed);
  const hasColour = options.channels === undefined && pictures.some(({ picture }) => !isGrey(picture.pixels));
  const channels = options.channels ?? (hasColour ? 3 : 1);
  const card = dataCard(
    {
      source,
      form: { ...form, channels },
      decoder: decoderOf(await loadSharp()),
      links: found.skipped.filter(({ reason }) => reason === LINK).length,
      skipped: found.skipped.filter(({ reason }) => reason !== LINK),
      broken: read.flatMap(({ name, reason }) => (reason === undefined ? [] : [{ name, reason }])),
    },
    unique,
    parts,
    classes,
  );
  const of = (part: Part): readonly GoodPicture[] => pictures.filter((_, i) => parts[i] === part);
  const arrays = (part: Part): HostArray => inputsOf(of(part), card.form);
  const inputs = arrays("train");
  const common = {
    name: basename(resolve(source)).replace(/\.(csv|tsv|jsonl|ndjson)$/i, ""),
    source,
    classes,
    preprocessing: options.preprocessing ?? measureStandardization(inputs),
  };
  const setOf = (images: HostArray, part: Part): Dataset => ({
    ...dataset(images, labelsOf(of(part), classes), common),
    pictures: card.form,
    files: of(part).map(({ name }) => name),
  });
  const held = (part: "validation" | "test", share: number): { readonly [K in typeof part]?: Dataset } => {
    const count = of(part).length;
    if (count > 0) return { [part]: setOf(arrays(part), part) };
    if (share === 0 || pictures.some((each) => each.part !== undefined)) return {};
    throw new DataError(
      `pictures: ${source} has ${pictures.length} pictures of ${classes.length} classes, too few to hold some out for ${part}; expected at least 3 of some class. Hint: --validation 0 --test 0 (\`validation\`, \`test\`) trains on all of them.`,
      source,
    );
  };
  return { train: setOf(inputs, "train"), ...held("validation", validation), ...held("test", test), card };
}

function checkShares(shares: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(shares))
    if (!(value >= 0 && (value < 1 || Number.isSafeInteger(value))) || (name === "maxBroken" && value > 1))
      throw new OptionError(
        `imageFolder: got ${name} ${value}; expected a share from 0${name === "maxBroken" ? " to 1" : ", below 1, or a count"}.`,
        name,
      );
}

async function find(source: string, links: boolean): Promise<FoundPictures> {
  const found = await stat(source).catch((error: unknown) => {
    throw new DataError(
      isMissing(error)
        ? `pictures: there is no folder ${source}.`
        : `pictures: cannot read ${source}: ${reasonOf(error)}.`,
      source,
    );
  });
  return found.isDirectory() ? findPictures(source, links) : readPictureList(source);
}

/** The classes of which a picture can be used. */
function classesLeft(pictures: readonly GoodPicture[], classes: readonly string[], source: string): readonly string[] {
  const left = new Set(pictures.map(({ label }) => label));
  const found = classes.filter((name) => left.has(name));
  if (found.length < 2)
    throw new DataError(
      `pictures: ${source} has usable pictures of ${found.length === 1 ? `the one class ${found[0]}` : "no class"}; expected at least two classes to tell apart.`,
      source,
    );
  return found;
}

function checkClasses(pictures: readonly GoodPicture[], classes: readonly string[], source: string): void {
  const strange = pictures.find(({ label }) => !classes.includes(label));
  if (strange !== undefined)
    throw new DataError(
      `pictures: ${source} has ${strange.name} of the class ${strange.label}; expected one of ${classes.join(", ")}.`,
      source,
    );
}

/** Of so many pictures the headers are read before a size is chosen. */
const SAMPLED = 400;
const SIDES = [64, 48, 32] as const;

/** The form that is asked for, or one that suits the pictures. */
async function formFor(pictures: readonly FoundPicture[], options: ImageFolderOptions): Promise<PictureForm> {
  const { imageSize, channels = 3, fit = "contain", background = [255, 255, 255] } = options;
  const [height, width] = imageSize === undefined ? await sizeFor(pictures) : [imageSize, imageSize].flat();
  for (const side of [height, width])
    if (!Number.isSafeInteger(side) || (side as number) < 8 || (side as number) > 2048)
      throw new OptionError(
        `imageFolder: got image size ${imageSize}; expected whole numbers from 8 to 2048.`,
        "imageSize",
      );
  return { channels, height: height as number, width: width as number, fit, background };
}

async function sizeFor(pictures: readonly FoundPicture[]): Promise<readonly [number, number]> {
  const { readFile } = await import("node:fs/promises");
  const every = Math.max(1, Math.floor(pictures.length / SAMPLED));
  const sample = pictures.filter((_, i) => i % every === 0);
  const headers: PictureHeader[] = [];
  await sideBySide(sample.length, undefined, async (i) => {
    const { path, name } = sample[i] as FoundPicture;
    const header = await readFile(path)
      .then((bytes) => readHeader(bytes, name))
      .catch(() => undefined);
    if (header !== undefined) headers.push(header);
  });
  const [first] = headers;
  const alike =
    first !== undefined && headers.every(({ width, height }) => width === first.width && height === first.height);
  if (alike && Math.min(first.height, first.width) >= 8 && Math.max(first.height, first.width) <= SIDES[0])
    return [first.height, first.width];
  const shorter = median(headers.map(({ width, height }) => Math.min(width, height)));
  const side = SIDES.find((each) => each <= shorter) ?? SIDES[2];
  return [side, side];
}

function inputsOf(pictures: readonly GoodPicture[], form: PictureForm): HostArray {
  const size = form.channels * form.height * form.width;
  const data = new Uint8Array(pictures.length * size);
  pictures.forEach(({ picture }, i) => {
    toForm(picture.pixels, form, data, i * size);
  });
  return new HostArray("u8", [pictures.length, form.channels, form.height, form.width], data);
}

function labelsOf(pictures: readonly ReadPicture[], classes: readonly string[]): HostArray {
  const index = new Map(classes.map((name, i) => [name, i]));
  return new HostArray(
    "i32",
    [pictures.length],
    Int32Array.from(pictures, ({ label }) => index.get(label) as number),
  );
}
