import { Command } from "commander";
import { DownhillError } from "../core/errors.ts";
import { load } from "../node/load-run.ts";
import type { ReportOptions } from "../node/report/write-report.ts";
import { parseWorst } from "./evaluate.ts";
import { type EvaluationData, evaluationData } from "./evaluation-data.ts";
import { readRecord } from "./run-record.ts";
import { reportOf, TEXT_REPORT } from "./run-report.ts";
import type { Screen } from "./screen.ts";
import { SETTINGS } from "./settings.ts";

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
  if (model.tokenizer !== undefined) return { without: TEXT_REPORT };
  try {
    const { data }: EvaluationData = await evaluationData(model, flags);
    return { data };
  } catch (error) {
    if (flags.data !== undefined || !(error instanceof DownhillError)) throw error;
    return { without: error.message };
  }
}
