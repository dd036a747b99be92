import { join } from "node:path";
import { Command } from "commander";
import { DownhillError } from "../core/errors.ts";
import { load } from "../node/load-run.ts";
import { type ReportOptions, writeReport } from "../node/report/write-report.ts";
import { parseWorst } from "./evaluate.ts";
import { type EvaluationData, evaluationData } from "./evaluation-data.ts";
import { readRecord } from "./run-record.ts";
import type { Screen } from "./screen.ts";
import { SETTINGS, type Value } from "./settings.ts";

type ReportFlags = {
  readonly data?: string;
  readonly dataDir?: string;
  readonly out?: string;
  readonly worst: number;
};

const WORST = 12;

export function reportCommand(screen: Screen): Command {
  return new Command("report")
    .description("Write a run as one HTML file: curves, scores of each class, mistakes, filters, and how to repeat it.")
    .argument("<run>", "a run's folder")
    .option("--data <data>", "what to evaluate on, as for train; default: what the run was trained on")
    .option("--data-dir <folder>", SETTINGS.dataDir?.help ?? "")
    .option("--out <file>", "where to write it (report.html in the run's folder)")
    .option("--worst <n>", "how many of the worst mistakes to show", parseWorst, WORST)
    .action(async (run: string, flags: ReportFlags) => report(screen, run, flags));
}

async function report(screen: Screen, run: string, { data, dataDir, out, worst }: ReportFlags): Promise<void> {
  readRecord(run);
  const model = await load(run);
  try {
    const found = await dataFor(model, { run, data, dataDir });
    const file = await reportOf(run, { model, worst, ...found, ...(out === undefined ? {} : { out }) });
    screen.line(`Wrote ${file}`);
    if (found.without !== undefined) screen.line(`It has no evaluation: ${found.without}`);
  } finally {
    await model.close();
  }
}

/** The data of the run, or why there is none; data that was asked for by name must be there. */
async function dataFor(
  model: Awaited<ReturnType<typeof load>>,
  flags: { readonly run: string; readonly data: string | undefined; readonly dataDir: string | undefined },
): Promise<Pick<ReportOptions, "data" | "without">> {
  if (model.tokenizer !== undefined)
    return { without: "A text has no classes; the validation loss says how good it is." };
  try {
    const { data }: EvaluationData = await evaluationData(model, flags);
    return { data };
  } catch (error) {
    if (flags.data !== undefined || !(error instanceof DownhillError)) throw error;
    return { without: error.message };
  }
}

/** Writes the report of a run with the commands that repeat it; answers the file's name. */
export function reportOf(run: string, options: ReportOptions = {}): Promise<string> {
  return writeReport(run, { commands: repeating(run), ...options });
}

/** Shell commands that repeat the run. */
function repeating(run: string): readonly string[] {
  const { settings, parent } = readRecord(run);
  const { data, ...rest } = settings;
  if (parent !== undefined) return [`downhill reproduce ${quoted(run)}`];
  const flags = Object.entries(rest).flatMap(([name, value]) => flagsOf(name, value));
  return [
    ["downhill train", ...(typeof data === "string" ? [quoted(data)] : []), ...flags].join(" "),
    "# or, from what the run left:",
    `downhill train --config ${quoted(join(run, "config.json"))}`,
    `downhill reproduce ${quoted(run)}`,
  ];
}

function flagsOf(name: string, value: Value): readonly string[] {
  const setting = SETTINGS[name];
  if (setting === undefined || name === "out") return [];
  const [flag = ""] = setting.flag.split(" ");
  if (typeof value === "boolean") return [value ? flag : flag.replace("--", "--no-")];
  return [value].flat().map((each) => `${flag} ${quoted(String(each))}`);
}

/** A word of a POSIX shell. */
const quoted = (text: string): string => (/^[\w./:@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
