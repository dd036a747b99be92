import { existsSync, readFileSync, statSync } from "node:fs";
import { Command } from "commander";
import { glob, isDynamicPattern } from "tinyglobby";
import { DataError, OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { decodeRows } from "../data/table/decode.ts";
import type { TableEncoding } from "../data/table/encoding.ts";
import { reasonOf } from "../node/file-store.ts";
import { load } from "../node/load-run.ts";
import { decodePicture } from "../node/pictures/decode.ts";
import { isPictureFile } from "../node/pictures/find.ts";
import { sideBySide } from "../node/pictures/read.ts";
import { readRows } from "../node/tables/rows.ts";
import { formOf } from "../train/form-of.ts";
import type { TrainedModel } from "../train/trained-model.ts";
import { formatPercent } from "./format.ts";
import type { Screen } from "./screen.ts";
import { formatValue } from "./table-format.ts";

type PredictFlags = { readonly top: number; readonly json: boolean };

/** Pictures that are decoded before the model sees them together. */
const BATCH = 64;
const STDIN = "-";
const FAILED = 1;

export function predictCommand(screen: Screen, done: (code: number) => void): Command {
  return new Command("predict")
    .description("Say what a saved run takes pictures, or rows of a table, for.")
    .argument("<run>", "a run's folder, or its model.safetensors")
    .argument(
      "[inputs...]",
      'pictures, folders and patterns such as "photos/**/*.jpg", or files of rows; - for standard input',
    )
    .option("--top <n>", "so many of the likeliest classes", parseTop, 1)
    .option("--json", "print JSON, a line each")
    .action(async (run: string, inputs: readonly string[], { top = 1, json = false }: Partial<PredictFlags>) => {
      const model = await load(run);
      try {
        done(await predict(screen, model, run, inputs, { top, json }));
      } finally {
        await model.close();
      }
    });
}

function parseTop(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(number) && number >= 1) return number;
  throw new OptionError(`--top: got "${text}"; expected a whole number of at least 1.`, "--top");
}

async function predict(
  screen: Screen,
  model: TrainedModel,
  run: string,
  given: readonly string[],
  flags: PredictFlags,
): Promise<number> {
  if (model.tokenizer !== undefined)
    throw new OptionError(`predict: ${run} was trained on a text; expected downhill generate ${run}.`, "run");
  const inputs = given.length === 0 && !process.stdin.isTTY ? [STDIN] : given;
  if (inputs.length === 0)
    throw new OptionError(
      "predict: got nothing to look at; expected files after the run, or - for standard input.",
      "inputs",
    );
  if (model.table !== undefined) return predictRows(screen, model, model.table, inputs, flags);
  return predictPictures(screen, model as unknown as TrainedModel<HostArray>, run, inputs, flags);
}

async function predictRows(
  screen: Screen,
  model: TrainedModel,
  table: TableEncoding,
  files: readonly string[],
  { top, json }: PredictFlags,
): Promise<number> {
  for (const file of files) {
    const source = file === STDIN ? { text: readFileSync(0, "utf8"), name: "standard input" } : file;
    const { inputs } = await readRows(source, table);
    const rows = decodeRows(await model.outputs(inputs), table);
    const classes = table.target.task === "classification" ? table.target.classes : [];
    rows.forEach((found, i) => {
      const input = file === STDIN ? undefined : file;
      if (!("value" in found)) print(screen, `${i + 1}`, { input, row: i + 1 }, { ...found, classes }, { top, json });
      else if (json) screen.line(JSON.stringify({ input, row: i + 1, value: found.value }));
      else screen.line(`${i + 1}  ${formatValue(found.value)}`);
    });
  }
  return 0;
}

async function predictPictures(
  screen: Screen,
  model: TrainedModel<HostArray>,
  run: string,
  given: readonly string[],
  flags: PredictFlags,
): Promise<number> {
  const form = formOf(model, run);
  const classes = model.classes as readonly string[];
  const files = await filesOf(given);
  let failed = 0;
  for (let at = 0; at < files.length; at += BATCH) {
    const part = files.slice(at, at + BATCH);
    const size = form.channels * form.height * form.width;
    const pixels = new Uint8Array(part.length * size);
    const faults = new Map<number, string>();
    await sideBySide(part.length, undefined, async (i) => {
      const file = part[i] as string;
      try {
        const bytes = readFileSync(file === STDIN ? 0 : file);
        if (bytes.length === 0) throw new DataError(`picture: ${shownName(file)} is empty.`, file);
        pixels.set((await decodePicture(bytes, form, shownName(file))).data, i * size);
      } catch (error) {
        faults.set(i, error instanceof DataError ? error.message : `picture: cannot read ${file}: ${reasonOf(error)}.`);
      }
    });
    const { channels, height, width } = form;
    const found = await model.predict(new HostArray("u8", [part.length, channels, height, width], pixels));
    part.forEach((file, i) => {
      const fault = faults.get(i);
      const one = found[i];
      if (fault !== undefined) {
        failed++;
        process.stderr.write(`${fault}\n`);
      } else if (one !== undefined)
        print(screen, shownName(file), { input: shownName(file) }, { ...one, classes }, flags);
    });
  }
  return failed > 0 ? FAILED : 0;
}

const shownName = (file: string): string => (file === STDIN ? "standard input" : file);

/** Files, what is in folders, and what matches patterns; the system's shell may have left them alone. */
async function filesOf(given: readonly string[]): Promise<readonly string[]> {
  const files: string[] = [];
  for (const each of given) {
    const isFolder = existsSync(each) && statSync(each).isDirectory();
    if (each === STDIN || (existsSync(each) && !isFolder)) files.push(each);
    else if (isFolder || isDynamicPattern(each)) {
      const pattern = isFolder ? "**/*" : each.replaceAll("\\", "/");
      const found = (await glob(pattern, { ...(isFolder ? { cwd: each } : {}), followSymbolicLinks: false }))
        .filter((name) => !isFolder || isPictureFile(name))
        .sort();
      if (found.length === 0)
        throw new DataError(`predict: ${each} ${isFolder ? "has no pictures" : "matches nothing"}.`, each);
      files.push(...found.map((name) => (isFolder ? `${each.replace(/[/\\]$/, "")}/${name}` : name)));
    } else throw new DataError(`predict: there is no file ${each}.`, each);
  }
  return files;
}

type Found = { readonly probabilities: ArrayLike<number>; readonly classes: readonly string[] };

/** One line: a name and the likeliest classes, or JSON. */
function print(
  screen: Screen,
  name: string,
  about: Readonly<Record<string, unknown>>,
  { probabilities, classes }: Found,
  { top, json }: PredictFlags,
): void {
  const order = Array.from(classes, (label, i) => ({ label, probability: probabilities[i] ?? Number.NaN })).sort(
    (a, b) => b.probability - a.probability,
  );
  if (json) {
    const best = order[0];
    screen.line(
      JSON.stringify({
        ...about,
        ...best,
        probabilities: Object.fromEntries(order.map((each) => [each.label, each.probability])),
      }),
    );
    return;
  }
  const shown = order.slice(0, top).map(({ label, probability }) => `${label} ${formatPercent(probability)}`);
  screen.line(`${name}  ${shown.join("  ")}`);
}
