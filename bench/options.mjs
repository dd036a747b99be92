import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { MODE_NAMES } from "./modes.mjs";
import { GROUPS } from "./workloads.mjs";

export const HELP = `npm run bench -- [options]

Builds the library, then measures it beside PyTorch and JavaScript's libraries on
the same work: one process for each contender, rounds interleaved, so that a
machine that slows down slows all of them.

  --quick              a few short rounds: to see that it works, not to quote
  --only <names>       of ${GROUPS.slice(0, 6).join(", ")},
                       ${GROUPS.slice(6).join(", ")}; default all but busy
  --threads <counts>   default 1,2 where there are two processors
  --batch <sizes>      of the networks; default 32 and 128, or 32 and 64
  --mode <modes>       of ${MODE_NAMES.slice(0, 3).join(", ")},
                       ${MODE_NAMES.slice(3).join(", ")}; default all, but
                       wide-reproducible for the CNN and the MLP on one thread only
  --contenders <words> only those whose name contains one of the words, such as
                       "Node 24 fast,PyTorch"
  --node <versions>    default 20,24: those that are not running come through npx
  --rules <names>      of the update rules; default all whose update is one loop
  --rounds <n>         samples of each contender; default 4, of update rules 2
  --busy               also busy: the CNN on two threads while a processor is taken
  --phases             how the step divides over sample, forward, backward, update
  --engine-flags=<s>   flags for every Node that is measured
  --dist <folder>      the build to measure; default dist of this repository
  --against <folder>   beside it another build: its dist folder
  --no-torch           leave PyTorch out
  --plan               only say what would be measured, and how long it takes

  --save               keep the result: bench/results/<date>.json
  --resume [file]      go on with a run that was interrupted, or add to one;
                       default the last run
  --json               print the result as JSON instead of tables
  --compare [files]    after measuring, against a saved result (default the last);
                       with two files those two, without measuring
  --targets [file]     beside the project's targets, without measuring
  --docs [files]       writes the tables and the picture of docs/benchmarks.md from
                       saved results (default all; of each figure the newest)

The last run is always kept in bench/last.json, also when it is interrupted. PyTorch is
taken from DOWNHILL_PYTHON, else bench/.venv, else python3; JavaScript's libraries from
"npm ci --prefix bench". Times are wall clock; none is ever a failure. The exit code is
1 when a contender of ours or PyTorch's breaks or its results differ, 2 for a wrong option.`;

export class UsageError extends Error {}

/** @param {string} flag @param {string | undefined} text @param {readonly string[]} known @returns {string[] | undefined} */
function names(flag, text, known) {
  const list = text?.split(",");
  const wrong = list?.find((name) => !known.includes(name));
  if (wrong !== undefined) throw new UsageError(`--${flag}: got "${wrong}"; expected some of ${known.join(", ")}.`);
  return list;
}

/** @param {string} flag @param {string | undefined} text */
function counts(flag, text) {
  return text?.split(",").map((word) => {
    if (!/^[1-9]\d{0,4}$/.test(word))
      throw new UsageError(`--${flag}: got "${word}"; expected integers of 1 or more, as 1,2.`);
    return Number(word);
  });
}

/** @param {readonly string[]} args */
export function readOptions(args) {
  let values;
  /** @type {string[]} */
  let files;
  try {
    ({ values, positionals: files } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        threads: { type: "string" },
        batch: { type: "string" },
        rules: { type: "string" },
        mode: { type: "string" },
        contenders: { type: "string" },
        node: { type: "string", multiple: true, default: [] },
        "engine-flags": { type: "string", default: "" },
        against: { type: "string" },
        dist: { type: "string" },
        "no-torch": { type: "boolean", default: false },
        rounds: { type: "string" },
        phases: { type: "boolean", default: false },
        busy: { type: "boolean", default: false },
        plan: { type: "boolean", default: false },
        save: { type: "boolean", default: false },
        resume: { type: "boolean", default: false },
        compare: { type: "boolean", default: false },
        targets: { type: "boolean", default: false },
        docs: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
  const { resume, compare, targets, docs } = values;
  const asked = [resume, compare, targets, docs].filter(Boolean).length;
  if (files.length > 0 && asked !== 1)
    throw new UsageError(
      `got "${files[0]}"; expected files after one of --resume, --compare, --targets and --docs only.`,
    );
  if (files.length > (docs ? 99 : compare ? 2 : 1)) throw new UsageError(`got ${files.length} files; expected fewer.`);
  const nodes = values.node.flatMap((text) => text.split(","));
  const wrong = nodes.find((version) => !/^[\w.-]+$/.test(version));
  if (wrong !== undefined) throw new UsageError(`--node: got "${wrong}"; expected a version, as 24 or 24.11.0.`);
  const rounds = counts("rounds", values.rounds);
  if (rounds && rounds.length > 1) throw new UsageError(`--rounds: got ${values.rounds}; expected one integer.`);
  const processors = availableParallelism();
  return {
    quick: values.quick,
    only: names("only", values.only, GROUPS) ?? GROUPS.filter((name) => name !== "busy"),
    threads: counts("threads", values.threads) ?? (processors > 1 ? [1, 2] : [1]),
    rules: values.rules?.split(","),
    batches: counts("batch", values.batch),
    modes: /** @type {import("./modes.mjs").Mode[]} */ (names("mode", values.mode, MODE_NAMES) ?? MODE_NAMES),
    /** Whether modes were asked for: then everywhere. */
    allModes: values.mode !== undefined,
    contenders: values.contenders?.split(",").map((word) => word.trim()),
    nodes: nodes.length > 0 ? nodes : ["20", "24"],
    engineFlags: values["engine-flags"].split(" ").filter(Boolean),
    dist: values.dist ? resolve(values.dist) : fileURLToPath(new URL("../dist", import.meta.url)),
    against: values.against ? resolve(values.against) : undefined,
    torch: !values["no-torch"],
    rounds: rounds?.[0] ?? (values.quick ? 2 : 4),
    updateRounds: rounds?.[0] ?? (values.quick ? 1 : 2),
    phases: values.phases,
    busy: values.busy,
    plan: values.plan,
    save: values.save,
    resume,
    compare,
    targets,
    docs,
    files: files.map((path) => resolve(path)),
    json: values.json,
    help: values.help,
  };
}

/** @typedef {ReturnType<typeof readOptions>} Options */
