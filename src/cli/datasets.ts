import { Command } from "commander";
import { OptionError } from "../core/errors.ts";
import { type DatasetListing, listDatasets } from "../node/datasets.ts";
import { formatBytes, formatCount } from "./format.ts";
import type { Screen } from "./screen.ts";
import { loadData } from "./train.ts";

/** `downhill datasets`: what is known by name, and where it is or how to get it; with a name and `--download`, gets it. */
export function datasetsCommand(screen: Screen): Command {
  return new Command("datasets")
    .description("List the data sets known by name, and where they are; or fetch one now.")
    .argument("[name]", "only this one")
    .option("--download", "fetch it if it is not on this machine, and check it")
    .action(async (name: string | undefined, { download = false }: { download?: boolean }) =>
      datasets(screen, name, download),
    );
}

async function datasets(screen: Screen, name: string | undefined, download: boolean): Promise<void> {
  if (download && name === undefined)
    throw new OptionError("--download: got no data set; expected its name, as in `downhill datasets iris --download`.");
  const all = await listDatasets();
  const chosen = name === undefined ? all : all.filter((each) => each.name === name);
  if (chosen.length === 0)
    throw new OptionError(
      `datasets: got ${JSON.stringify(name)}; expected one of ${all.map((each) => each.name).join(", ")}.`,
      "name",
    );
  if (download && name !== undefined) {
    await loadData(screen, { data: name, dataDir: undefined });
    const now = await listDatasets();
    for (const listing of now.filter((each) => each.name === name)) describe(screen, listing);
    return;
  }
  for (const listing of chosen) {
    describe(screen, listing);
    if (name === undefined) screen.line();
  }
  if (name === undefined)
    screen.line("Any folder with four idx files of MNIST's form works too: downhill train ./folder");
}

function describe(screen: Screen, listing: DatasetListing): void {
  const { name, title, classes, trainCount, testCount, shape, features, source, licence } = listing;
  const { found, downloadBytes, howToGet, suggestion } = listing;
  screen.line(`${screen.bold(name)}  ${title}`);
  const what = features === undefined ? `images of ${shape.join("x")}` : `rows of ${features.length} features`;
  screen.line(
    `  ${formatCount(trainCount)} training and ${formatCount(testCount)} test ${what}, ${classes.length} classes`,
  );
  screen.line(`  ${source} (licence: ${licence})`);
  if (suggestion !== undefined) screen.line(`  takes longer, does better: downhill train ${name} ${suggestion}`);
  if (found !== undefined) screen.line(`  in ${found}`);
  else {
    screen.line(`  not on this machine; downloaded when first used (${formatBytes(downloadBytes)}), or:`);
    for (const way of howToGet) screen.line(`  - ${way}`);
  }
}
