import { Command } from "commander";
import { OptionError } from "../core/errors.ts";
import { load } from "../node/load-run.ts";
import { readText } from "../node/text.ts";
import { evaluateFully } from "../train/evaluation/evaluate-fully.ts";
import type { TrainedModel } from "../train/trained-model.ts";
import { evaluationData, recordOf, sourceOf } from "./evaluation-data.ts";
import { evaluationLines } from "./evaluation-text.ts";
import { formatCount } from "./format.ts";
import type { Screen } from "./screen.ts";
import { SETTINGS } from "./settings.ts";
import { measures, textToEvaluate, tokensPerByte, VALIDATION } from "./text.ts";

export type EvaluateFlags = {
  readonly run: string;
  readonly data: string | undefined;
  readonly dataDir: string | undefined;
  readonly worst: number;
  readonly json: boolean;
};

const WORST = 5;

export function evaluateCommand(screen: Screen): Command {
  return new Command("evaluate")
    .description(
      "Say how good a saved run is on a test set: of each class, what it confuses, how sure it is, its worst mistakes.",
    )
    .argument("<run>", "a run's folder, or its model.safetensors")
    .argument("[data]", "as for train; default: what the run was trained on")
    .option("--worst <n>", "how many of the worst mistakes to show", parseWorst, WORST)
    .option("--json", "print JSON")
    .option("--data-dir <folder>", SETTINGS.dataDir?.help ?? "")
    .action(
      async (run: string, data: string | undefined, { dataDir, worst = WORST, json = false }: Partial<EvaluateFlags>) =>
        evaluate(screen, { run, data, dataDir, worst, json }),
    );
}

export function parseWorst(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(number) && number >= 0) return number;
  throw new OptionError(`--worst: got "${text}"; expected a whole number of at least 0.`, "--worst");
}

/** `downhill evaluate`: how good a saved run is on the test part of a data set. */
async function evaluate(screen: Screen, flags: EvaluateFlags): Promise<void> {
  const model = await load(flags.run);
  try {
    if (model.tokenizer !== undefined) return await evaluateText(screen, model, flags);
    const { data, what } = await evaluationData(model, flags);
    const found = await evaluateFully(model, data, { worst: flags.worst });
    if (flags.json) screen.line(JSON.stringify(found, null, 2));
    else for (const line of evaluationLines(found, what)) screen.line(line);
  } finally {
    await model.close();
  }
}

async function evaluateText(screen: Screen, model: TrainedModel, { run, data, json }: EvaluateFlags): Promise<void> {
  // Of the text it was trained on, the end that was held out.
  const own = data === undefined ? recordOf(run).settings : undefined;
  const file = data ?? sourceOf(run);
  const share = own === undefined ? 0 : typeof own.validation === "number" ? own.validation : VALIDATION;
  const held = share === 0 ? undefined : share;
  const text = textToEvaluate(readText(file), file, model, held);
  const metrics = await model.evaluate(text);
  const tokens = text.windows.tokens.data.length;
  if (json) {
    screen.line(JSON.stringify({ kind: "metrics", data: file, samples: tokens, metrics }, null, 2));
    return;
  }
  const of = held === undefined ? "" : "the held-out end of ";
  screen.line(
    `loss ${measures(metrics.loss ?? Number.NaN, tokensPerByte(text))} on ${formatCount(tokens)} tokens, ${of}${file}`,
  );
}
