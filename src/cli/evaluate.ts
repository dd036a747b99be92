import { readFileSync } from "node:fs";
import { join } from "node:path";
import { OptionError } from "../core/errors.ts";
import { sampleCount } from "../data/dataset.ts";
import { resolveDataset } from "../node/datasets.ts";
import { load } from "../node/load-run.ts";
import type { Metrics } from "../train/events.ts";
import { formatCount, formatNumber } from "./format.ts";
import type { Screen } from "./screen.ts";
import { parseConfig } from "./settings.ts";

export type EvaluateFlags = {
  readonly run: string;
  readonly data: string | undefined;
  readonly dataDir: string | undefined;
};

/** `downhill evaluate`: loss and metrics of a saved run on the test part of a data set. */
export async function evaluate(screen: Screen, { run, data, dataDir }: EvaluateFlags): Promise<void> {
  const model = await load(run);
  const source = data ?? trainedOn(run);
  const { test } = await resolveDataset(source, dataDir === undefined ? {} : { dataDir });
  const metrics: Metrics = await model.evaluate(test);
  const shown = Object.entries(metrics).map(([name, value]) => `${name} ${formatNumber(value)}`);
  screen.line(`${shown.join(", ")} on ${formatCount(sampleCount(test))} test images of ${test.name}`);
  await model.close();
}

function trainedOn(run: string): string {
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
  const { data } = parseConfig(json, file);
  if (typeof data !== "string")
    throw new OptionError(`evaluate: got no data, and ${file} has none; expected a data set after the run.`, "data");
  return data;
}
