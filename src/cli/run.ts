import { CommanderError } from "commander";
import { DownhillError, OptionError } from "../core/errors.ts";
import { program } from "./program.ts";
import { Screen } from "./screen.ts";
import { SETTINGS, suggest } from "./settings.ts";

const USAGE_ERROR = 2;
const RUN_ERROR = 1;

/** One line on stderr that says what is wrong and where. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return 0;
    if (error.code === "commander.help") {
      process.stderr.write("downhill: no command given; see downhill --help\n");
      return USAGE_ERROR;
    }
    if (error.code === "commander.unknownOption") {
      const [, flag = ""] = /'(.*)'/.exec(error.message) ?? [];
      const known = [
        "--config",
        "--verbose",
        ...Object.values(SETTINGS).map((setting) => setting.flag.split(" ")[0] as string),
      ];
      process.stderr.write(`downhill: got the unknown flag ${flag}.${suggest(flag, known)}\n`);
      return USAGE_ERROR;
    }
    const text = error.message
      .replace(/^error: /, "")
      .replaceAll(/\s*\n\s*/g, " ")
      .trim();
    process.stderr.write(`downhill: ${text}\n`);
    return USAGE_ERROR;
  }
  if (error instanceof DownhillError) {
    process.stderr.write(`downhill: ${error.message.replaceAll(/\s*\n\s*/g, " ")}\n`);
    return error instanceof OptionError ? USAGE_ERROR : RUN_ERROR;
  }
  process.stderr.write(`downhill: unexpected error\n${error instanceof Error ? error.stack : String(error)}\n`);
  return RUN_ERROR;
}

/** Runs the command of this process's arguments. */
export async function run(): Promise<void> {
  // A reader that went away, as in `| head`. A training listens too, and ends as by Ctrl-C.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    if (process.stdout.listenerCount("error") === 1) process.exit(0);
  });

  const screen = new Screen();
  try {
    const root = program(screen, (code) => {
      process.exitCode = code;
    });
    if (process.argv.length <= 2) root.outputHelp();
    else await root.parseAsync();
  } catch (error) {
    screen.erase();
    process.exitCode = report(error);
  }
}
