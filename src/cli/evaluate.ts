import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../core/errors.ts";
import { sampleCount } from "../data/dataset.ts";
import { resolveDataset } from "../node/datasets.ts";
import { load } from "../node/load-run.ts";
import { readText } from "../node/text.ts";
import type { Metrics } from "../train/events.ts";
import { formatCount, formatNumber } from "./format.ts";
import type { Screen } from "./screen.ts";
import { type Given, parseConfig } from "./settings.ts";
import { measures, textToEvaluate, tokensPerByte, VALIDATION } from "./text.ts";

export type EvaluateFlags = {
  readonly run: string;
  readonly data: string | undefined;
  readonly dataDir: string | undefined;
};

/** `downhill evaluate`: loss and metrics of a saved run on the test part of a data set. */
export async function evaluate(screen: Screen, { run, data, dataDir }: EvaluateFlags): Promise<void> {
  const model = await load(run);
  if (model.tokenizer !== undefined) {
    // Of the text it was trained on, the end that was held out.
    const own = data === undefined ? configOf(run) : undefined;
    const file = data ?? dataOf(own, run);
    const share = own === undefined ? 0 : typeof own.validation === "number" ? own.validation : VALIDATION;
    const held = share === 0 ? undefined : share;
    const text = textToEvaluate(readText(file), file, model, held);
    const { loss = Number.NaN } = await model.evaluate(text);
    const of = held === undefined ? "" : "the held-out end of ";
    screen.line(
      `loss ${measures(loss, tokensPerByte(text))} on ${formatCount(text.windows.tokens.data.length)} tokens, ${of}${file}`,
    );
    await model.close();
    return;
  }
  const source = data ?? dataOf(configOf(run), run);
  const { test } = await resolveDataset(source, dataDir === undefined ? {} : { dataDir });
  const metrics: Metrics = await model.evaluate(test);
  const shown = Object.entries(metrics).map(([name, value]) => `${name} ${formatNumber(value)}`);
  screen.line(`${shown.join(", ")} on ${formatCount(sampleCount(test))} test images of ${test.name}`);
  await model.close();
}

function configOf(run: string): Given {
  const file = join(run, "config.json");
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new OptionError(
      `evaluate: got no data, and ${file} does not say; expected a data set after the run.`,
      "data",
    );
  }
  return parseConfig(json, file);
}

function dataOf(config: Given | undefined, run: string): string {
  if (typeof config?.data === "string") return config.data;
  throw new OptionError(
    `evaluate: got no data, and ${join(run, "config.json")} has none; expected a data set after the run.`,
    "data",
  );
}
