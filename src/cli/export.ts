import { resolve } from "node:path";
import { Command } from "commander";
import { OptionError } from "../core/errors.ts";
import { writeFileAtomic } from "../node/file-store.ts";
import { load } from "../node/load-run.ts";
import { exportMetrics } from "../node/metrics/export.ts";
import { exportTensorboard } from "../node/tensorboard/export.ts";
import type { OptimizerState } from "../optim/optimizer-state.ts";
import { exportOnnx } from "../train/export-onnx.ts";
import { optimizerStateOf } from "../train/optimizer-memory.ts";
import { encodeTorchOptimizer } from "../train/torch.ts";
import { findCheckpoint } from "./checkpoints.ts";
import { exportPage } from "./export-page.ts";
import { formatCount } from "./format.ts";
import type { Screen } from "./screen.ts";
import { eventFolder } from "./tensorboard.ts";

/** Something that a run can be made into: its flag, and what writes it and says in a line what was written. */
type Target = {
  readonly flag: string;
  readonly help: string;
  readonly run: (run: string, to: string, options: Flags) => Promise<string>;
};

type Flags = { readonly softmax?: boolean; readonly [target: string]: string | boolean | undefined };

const TARGETS: Readonly<Record<string, Target>> = {
  tensorboard: {
    flag: "--tensorboard <folder>",
    help: "events for TensorBoard, in a folder of the run's name in this one",
    run: async (run, to) => `Events for TensorBoard: ${await exportTensorboard(run, eventFolder(to, resolve(run)))}`,
  },
  metrics: {
    flag: "--metrics <file>",
    help: "a table of all steps, epochs and tests: .csv, .jsonl or .parquet",
    run: async (run, to) => `Metrics: ${formatCount((await exportMetrics(run, to)).rows)} rows in ${to}`,
  },
  optimizerState: {
    flag: "--optimizer-state <file>",
    help: "the optimizer's state of the last checkpoint for PyTorch: optimizer.load_state_dict(torch.load(file))",
    run: exportOptimizerState,
  },
  onnx: {
    flag: "--onnx <file>",
    help: "the model for onnxruntime and others, with its preprocessing: pixels in, scores out",
    run: exportOnnxFile,
  },
  page: {
    flag: "--page <folder>",
    help: "a web page that classifies pictures in the browser, with no server: a folder to put anywhere, or to open from a disk",
    run: exportPage,
  },
};

async function exportOnnxFile(run: string, to: string, { softmax = false }: Flags): Promise<string> {
  const model = await load(run, { threads: 1 });
  try {
    await writeFileAtomic(to, await exportOnnx(model, { softmax }));
  } finally {
    await model.close();
  }
  return `ONNX, opset 18, batches of any size: ${to}`;
}

async function exportOptimizerState(run: string, to: string): Promise<string> {
  const { state, identity, history, overrides, step } = await findCheckpoint(run, "last");
  const config = identity.free.optimizer as OptimizerState["config"];
  const rate = overrides.rate ?? history.at(-1)?.rate ?? undefined;
  await writeFileAtomic(to, await encodeTorchOptimizer(optimizerStateOf(state, config, rate)));
  return `Optimizer state for PyTorch, after step ${formatCount(step)}: ${to}`;
}

/** `downhill export`. */
export function exportCommand(screen: Screen): Command {
  const command = new Command("export")
    .description("Write a run in a form that other programs read.")
    .argument("<run>", "a run's folder");
  for (const { flag, help } of Object.values(TARGETS)) command.option(flag, help);
  command.option("--softmax", "with --onnx: probabilities instead of scores");
  return command.action(async (run: string, options: Flags) => {
    const asked = Object.entries(TARGETS).filter(([name]) => options[name] !== undefined);
    if (asked.length === 0)
      throw new OptionError(
        `export: got nothing to write; expected some of ${Object.values(TARGETS)
          .map(({ flag }) => flag)
          .join(", ")}.`,
        "export",
      );
    for (const [name, target] of asked) screen.line(await target.run(run, options[name] as string, options));
  });
}
