import { listDatasets } from "../node/datasets.ts";
import { formatBytes, formatCount } from "./format.ts";
import type { Screen } from "./screen.ts";

/** `downhill datasets`: what is known by name, and where it is or how to get it. */
export async function datasets(screen: Screen): Promise<void> {
  for (const {
    name,
    title,
    classes,
    trainCount,
    testCount,
    shape,
    found,
    downloadBytes,
    howToGet,
  } of await listDatasets()) {
    screen.line(`${screen.bold(name)}  ${title}`);
    screen.line(
      `  ${formatCount(trainCount)} training and ${formatCount(testCount)} test images of ${shape.join("x")}, ${classes.length} classes`,
    );
    if (found !== undefined) screen.line(`  in ${found}`);
    else {
      screen.line(`  not on this machine; downloaded when first used (${formatBytes(downloadBytes)}), or:`);
      for (const way of howToGet) screen.line(`  - ${way}`);
    }
    screen.line();
  }
  screen.line("Any folder with four idx files of MNIST's form works too: downhill train ./folder");
}
