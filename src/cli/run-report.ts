import { join } from "node:path";
import { type ReportOptions, writeReport } from "../node/report/write-report.ts";
import { readRecord } from "./run-record.ts";
import { SETTINGS, type Value } from "./settings.ts";

export const TEXT_REPORT = "A text has no classes; the validation loss says how good it is.";

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
