import { Command, Option } from "commander";
import { OptionError } from "../core/errors.ts";
import { version } from "../node/environment.ts";
import { GROUPINGS, type GroupBy } from "../train/profile/group.ts";
import { listCheckpoints } from "./checkpoints.ts";
import { datasetsCommand } from "./datasets.ts";
import { evaluateCommand } from "./evaluate.ts";
import { exportCommand } from "./export.ts";
import { optimizerHelp, scheduleHelp } from "./help.ts";
import { info } from "./info.ts";
import { listModels } from "./models.ts";
import { listOptimizers, printOptimizers, showOptimizer } from "./optimizers.ts";
import { predictCommand } from "./predict.ts";
import { type ProfileFlags, profileCommand } from "./profile.ts";
import { DATA_HELP, defaultOf } from "./recipe.ts";
import { reportCommand } from "./report.ts";
import { reproduce } from "./reproduce.ts";
import { branch, resume } from "./resume.ts";
import { drawSchedules, parseReports, type ScheduleFlags } from "./schedule.ts";
import { listSchedules, showSchedule } from "./schedules.ts";
import type { Screen } from "./screen.ts";
import { serveCommand } from "./serve.ts";
import { BASE_NAMES, type Given, HYPER_NAMES, parseFlag, SETTINGS, type Setting, type Value } from "./settings.ts";
import { type GenerateFlags, generateCommand } from "./text-generate.ts";
import { train } from "./train.ts";

/** Both spellings of a switch, so that a flag can win over a config file either way. */
function optionsOf(
  name: string,
  { flag, help, kind, group }: Setting,
  { hidden, defaults }: { readonly hidden: boolean; readonly defaults: boolean },
): Option[] {
  const text = defaults ? defaultOf(name) : undefined;
  const option = (flags: string): Option => {
    const made = new Option(flags, text === undefined ? help : `${help} (${text})`).helpGroup(`${group}:`);
    if (kind === "list")
      made.argParser((value, previous: readonly string[] | undefined) => [
        ...(previous ?? []),
        ...(parseFlag(name, value) as readonly string[]),
      ]);
    else if (kind !== "switch") made.argParser((value) => parseFlag(name, value));
    // `--no-decay <parameters>` is a flag of its own, not the opposite of another.
    if (flags.includes("<")) made.negate = false;
    return hidden ? made.hideHelp() : made;
  };
  return kind === "switch" ? [option(flag), option(flag.replace("--", "--no-"))] : [option(flag)];
}

function trainCommand(screen: Screen, done: (code: number) => void): Command {
  const command = new Command("train")
    .description("Train on images, a table or a text, and save the model.")
    .argument(
      "[data]",
      "a data set known by name (downhill datasets lists them), a folder of idx files such as ./digits, a table such as cars.csv, or a text such as book.txt",
    )
    .option("--config <file>", "JSON with the same settings, by their names here in camelCase; flags win")
    .option("--verbose", "show programs, memory and compile time");
  const settings = withSettings(command, BASE_NAMES, HYPER_NAMES);
  command.addHelpText("after", () => `\n${DATA_HELP}\n\n${optimizerHelp()}\n\n${scheduleHelp()}\n\n${EXAMPLES}`);
  return command.action(async (data: string | undefined, options: Record<string, Value>) => {
    const given: Given = { ...(data === undefined ? {} : { data }), ...settings(options) };
    const { config, verbose = false } = command.opts<{ config?: string; verbose?: boolean }>();
    done(await train(screen, { given, verbose, ...(config === undefined ? {} : { config }) }));
  });
}

/** Adds settings of `train` to a command, with their defaults where they have them there; answers what reads those that were given. */
function withSettings(
  command: Command,
  shown: readonly string[],
  hidden: readonly string[],
  defaults = true,
): (options: Record<string, Value>) => Given {
  const names = [...shown, ...hidden];
  for (const name of names)
    for (const option of optionsOf(name, SETTINGS[name] as Setting, { hidden: hidden.includes(name), defaults }))
      command.addOption(option);
  return (options) =>
    Object.fromEntries(
      names.flatMap((name) => {
        const value = options[name];
        return value === undefined || command.getOptionValueSource(name) !== "cli" ? [] : [[name, value]];
      }),
    ) as Given;
}

/** Settings of `train` that a run may take up with others than before. */
const RESUME_SETTINGS = [
  "epochs",
  "lr",
  "schedule",
  "earlyStopping",
  "maxTime",
  "onNan",
  "checkpointEvery",
  "keepLast",
  "keepBest",
  "threads",
  "mode",
  "reproducible",
  "wide",
  "native",
  "dataDir",
  "tensorboard",
] as const;

/** And those that only a new run may. */
const BRANCH_SETTINGS = [
  ...RESUME_SETTINGS,
  "clipNorm",
  "freeze",
  "group",
  "before",
  "after",
  "wrap",
  "accumulate",
  "batchSize",
  "validation",
  "augment",
  "seed",
  "out",
] as const;

function resumeCommand(screen: Screen, done: (code: number) => void): Command {
  const command = new Command("resume")
    .description("Go on with a run that was stopped or killed, from its newest good checkpoint, as if it had not been.")
    .argument("<run>", "a run's folder")
    .option("--verbose", "show programs, memory and compile time");
  const given = withSettings(command, RESUME_SETTINGS, HYPER_NAMES, false);
  return command.action(async (run: string, options: Record<string, Value>) =>
    done(await resume(screen, { run, given: given(options), verbose: options.verbose === true })),
  );
}

function branchCommand(screen: Screen, done: (code: number) => void): Command {
  const command = new Command("branch")
    .description("Start a new run from a checkpoint of another, with other hyperparameters if you like.")
    .argument("<run>", "a run's folder")
    .option("--from <checkpoint>", "best, last or a step; `downhill checkpoints` lists them", "last")
    .option("--verbose", "show programs, memory and compile time");
  const given = withSettings(command, BRANCH_SETTINGS, HYPER_NAMES, false);
  return command.action(async (run: string, options: Record<string, Value>) =>
    done(
      await branch(screen, {
        run,
        given: given(options),
        verbose: options.verbose === true,
        from: String(options.from),
      }),
    ),
  );
}

function reproduceCommand(screen: Screen, done: (code: number) => void): Command {
  const command = new Command("reproduce")
    .description("Train again as a run's record says, and say whether the bits agree. Leaves nothing behind.")
    .argument("<run>", "a run's folder")
    .option("--verbose", "show programs, memory and compile time");
  const given = withSettings(command, ["threads", "dataDir"], [], false);
  return command.action(async (run: string, options: Record<string, Value>) =>
    done(await reproduce(screen, { run, given: given(options), verbose: options.verbose === true })),
  );
}

function scheduleCommand(screen: Screen): Command {
  const count = (flag: string) => (value: string) => {
    const number = Number(value);
    if (value.trim() !== "" && number > 0 && Number.isFinite(number)) return number;
    throw new OptionError(`${flag}: got "${value}"; expected a number above 0.`, flag);
  };
  return new Command("schedule")
    .description("Draw schedules in the terminal before anyone trains.")
    .argument("<text...>", 'schedules such as "warmup 5% | cosine"; `downhill schedules` lists all')
    .option("--lr <rate>", "the rate that they start from", count("--lr"), 0.1)
    .option("--epochs <n>", "length of the run", count("--epochs"), 10)
    .option("--steps-per-epoch <n>", "updates in an epoch", count("--steps-per-epoch"), 100)
    .option("--reports <list>", "what validation gives after each epoch, for a plateau: 0.9,0.7,0.71", parseReports)
    .option("--svg <file>", "write a picture too")
    .option("--ascii", "draw with plain characters")
    .action(async (texts: string[], given: Partial<ScheduleFlags> & Pick<ScheduleFlags, "lr" | "epochs">) =>
      drawSchedules(screen, texts, {
        reports: undefined,
        svg: undefined,
        ascii: plainTerminal(),
        stepsPerEpoch: 100,
        ...given,
      }),
    );
}

function generateTextCommand(screen: Screen): Command {
  const number = (flag: string, expected: string, fits: (n: number) => boolean) => (value: string) => {
    const n = Number(value);
    if (value.trim() !== "" && fits(n)) return n;
    throw new OptionError(`${flag}: got "${value}"; expected ${expected}.`, flag);
  };
  const whole = (flag: string, min: number) =>
    number(flag, `a whole number of at least ${min}`, (n) => Number.isSafeInteger(n) && n >= min);
  const share = (n: number): boolean => n > 0 && n <= 1;
  return new Command("generate")
    .description("Go on with a text, by a model that was trained on one.")
    .argument("<run>", "a run's folder, or its model.safetensors")
    .option("--prompt <text>", "what to go on from (a line's end)", "\n")
    .option("--tokens <n>", "how many tokens to make", whole("--tokens", 0), 200)
    .option(
      "--temperature <n>",
      "below 1 surer, above 1 wilder; 0 always takes the likeliest token",
      number("--temperature", "a number from 0", (n) => n >= 0 && Number.isFinite(n)),
      0.8,
    )
    .option("--top-k <n>", "only the k likeliest tokens", whole("--top-k", 1))
    .option(
      "--top-p <share>",
      "only the likeliest tokens that together have this probability",
      number("--top-p", "a number above 0 and at most 1", share),
    )
    .option("--seed <n>", "the same seed gives the same text", whole("--seed", 0), 1)
    .action(async (run: string, given: Omit<GenerateFlags, "run" | "topK" | "topP"> & Partial<GenerateFlags>) =>
      generateCommand(screen, { topK: undefined, topP: undefined, ...given, run }),
    );
}

/** Settings of `train` that decide what a step is and what runs it. */
const STEP_SETTINGS = [
  "model",
  "optimizer",
  "batchSize",
  "threads",
  "mode",
  "reproducible",
  "wide",
  "native",
  "layers",
  "heads",
  "width",
  "block",
  "tokenizer",
  "dataDir",
] as const;

function profileStepCommand(screen: Screen): Command {
  const whole = (flag: string, min: number) => (value: string) => {
    const number = Number(value);
    if (value.trim() !== "" && Number.isSafeInteger(number) && number >= min) return number;
    throw new OptionError(`${flag}: got "${value}"; expected a whole number of at least ${min}.`, flag);
  };
  const command = new Command("profile")
    .description("Say where the time of one training step goes, kernel by kernel, against what the machine could do.")
    .argument("<data>", "a model such as cnn or gpt, on noise; or data as for train")
    .option("--by <what>", `rows of the table: ${GROUPINGS.join(", ")}`, parseGrouping, "kernel")
    .option("--top <n>", "rows that are shown, 0 for all", whole("--top", 0), 20)
    .option("--steps <n>", "steps that are timed each way (as many as take 2 seconds)", whole("--steps", 1))
    .option("--json", "print JSON")
    .option("--svg <file>", "write a picture too")
    .option("--ascii", "draw with plain characters");
  const settings = withSettings(command, STEP_SETTINGS, []);
  return command.action(async (subject: string, options: Record<string, Value> & Partial<ProfileFlags>) => {
    const given = settings(options);
    const { by = "kernel", top = 20, steps, json = false, svg, ascii = plainTerminal() } = options;
    await profileCommand(screen, { subject, given, by, top, steps, json, svg, ascii });
  });
}

function parseGrouping(text: string): GroupBy {
  const found = GROUPINGS.find((grouping) => grouping === text);
  if (found !== undefined) return found;
  throw new OptionError(`--by: got "${text}"; expected one of ${GROUPINGS.join(", ")}.`, "--by");
}

/** Whether the terminal's locale says that it shows ASCII alone. */
function plainTerminal(): boolean {
  const locale = process.env.LC_ALL || process.env.LC_CTYPE || process.env.LANG || "";
  return locale !== "" && !/utf-?8/i.test(locale);
}

const EXAMPLES = `Examples:
  downhill train mnist
  downhill train mnist --model mlp --optimizer adam --epochs 5
  downhill train ./digits --lr 0.05 --schedule "warmup 5% | cosine"
  downhill train book.txt --layers 4 --width 128 --sample "Once upon a time"
  downhill train mnist --optimizer adamw --weight-decay 0.05 --no-decay bias
  downhill train mnist --config runs/2025-01-31-142530-mnist-cnn/config.json`;

/** Every command with its arguments and flags. `done` gets the exit code of a training. */
export function program(screen: Screen, done: (code: number) => void): Command {
  const root = new Command("downhill")
    .description("Train neural networks: the whole step compiled to WebAssembly.")
    .version(version())
    .addCommand(trainCommand(screen, done))
    .addCommand(resumeCommand(screen, done))
    .addCommand(branchCommand(screen, done))
    .addCommand(reproduceCommand(screen, done))
    .addCommand(
      new Command("checkpoints")
        .description("List the checkpoints of a run.")
        .argument("<run>", "a run's folder")
        .action(async (run: string) => listCheckpoints(screen, run)),
    )
    .addCommand(
      new Command("info")
        .description("Say what of this machine training can use: fused multiply-add, wide vectors, a BLAS.")
        .option("--json", "print JSON")
        .action(({ json = false }: { json?: boolean }) => info(screen, json)),
    )
    .addCommand(datasetsCommand(screen))
    .addCommand(new Command("models").description("List the models known by name.").action(() => listModels(screen)))
    .addCommand(
      new Command("optimizers")
        .description("List the update rules and what stands around them, or show one with its equations and numbers.")
        .argument("[name]", "a rule, transform or wrapper, such as adam")
        .option("--json", "print JSON")
        .action((name: string | undefined, { json = false }: { json?: boolean }) => {
          if (json) printOptimizers(screen, name);
          else if (name === undefined) listOptimizers(screen);
          else showOptimizer(screen, name);
        }),
    )
    .addCommand(exportCommand(screen))
    .addCommand(generateTextCommand(screen))
    .addCommand(scheduleCommand(screen))
    .addCommand(profileStepCommand(screen))
    .addCommand(
      new Command("schedules")
        .description("List the schedules, or show one with its options.")
        .argument("[name]", "a schedule, such as cosine")
        .option("--ascii", "draw with plain characters")
        .action((name: string | undefined, { ascii = plainTerminal() }: { ascii?: boolean }) => {
          if (name === undefined) listSchedules(screen);
          else showSchedule(screen, name, ascii);
        }),
    )
    .addCommand(evaluateCommand(screen))
    .addCommand(predictCommand(screen, done))
    .addCommand(serveCommand(screen))
    .addCommand(reportCommand(screen));
  for (const command of [root, ...root.commands])
    command
      .exitOverride()
      .configureOutput({ writeErr: () => {}, writeOut: (text) => process.stdout.write(text) })
      .configureHelp({ helpWidth: 80, showGlobalOptions: false })
      .helpOption("-h, --help", "show this help");
  return root.helpCommand(false);
}
