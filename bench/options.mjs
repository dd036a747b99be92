import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { GROUPS } from "./workloads.mjs";

export const HELP = `npm run bench -- [options]

Builds the library, then measures it beside PyTorch on the same work: one process for each
contender, rounds interleaved, so that a machine that slows down slows all of them.

  --quick              a few short rounds: to see that it works, not to quote
  --only <names>       of ${GROUPS.join(", ")}; default all
  --threads <counts>   e.g. 1,2; default 1, and 2 as well for the CNN, the updates and streaming
  --rules <names>      of the update rules; default all whose update is one loop
  --batch <sizes>      of the CNN and the MLP; default 32,128 (the other networks have one size each)
  --mode <modes>       of reproducible, fast; default both
  --node <version>     beside the running Node another one, through npx; may be repeated
  --engine-flags=<s>   flags for every Node that is measured, e.g. --experimental-wasm-relaxed-simd
  --against <folder>   beside this build another one: its dist folder
  --dist <folder>      the build to measure; default dist of this repository
  --no-torch           leave PyTorch out
  --rounds <n>         samples of each contender; default 11, of update rules 4
  --phases             how the step divides over sample, forward, backward and update
  --save               write bench/results/<date>.json, or <date>-2.json beside it
  --json               print that JSON instead of the tables
  --help

PyTorch is taken from DOWNHILL_PYTHON, else bench/.venv, else python3. Times are wall clock; none is
ever a failure. The exit code is 1 when a contender breaks or its losses differ from the others',
2 for a wrong option.`;

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
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        quick: { type: "boolean", default: false },
        only: { type: "string" },
        threads: { type: "string" },
        batch: { type: "string" },
        rules: { type: "string" },
        mode: { type: "string" },
        node: { type: "string", multiple: true, default: [] },
        "engine-flags": { type: "string", default: "" },
        against: { type: "string" },
        dist: { type: "string" },
        "no-torch": { type: "boolean", default: false },
        rounds: { type: "string" },
        phases: { type: "boolean", default: false },
        save: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(/** @type {Error} */ (error).message);
  }
  const wrong = values.node.find((version) => !/^[\w.-]+$/.test(version));
  if (wrong !== undefined) throw new UsageError(`--node: got "${wrong}"; expected a version, as 24 or 24.11.0.`);
  const rounds = counts("rounds", values.rounds);
  if (rounds && rounds.length > 1) throw new UsageError(`--rounds: got ${values.rounds}; expected one integer.`);
  const threads = counts("threads", values.threads);
  return {
    quick: values.quick,
    only: names("only", values.only, GROUPS) ?? [...GROUPS],
    threads,
    // Without a choice, a machine with one processor is not asked for two threads.
    most: threads ? Number.POSITIVE_INFINITY : availableParallelism(),
    rules: values.rules?.split(","),
    batches: counts("batch", values.batch) ?? [32, 128],
    modes: /** @type {("reproducible" | "fast")[]} */ (
      names("mode", values.mode, ["reproducible", "fast"]) ?? ["reproducible", "fast"]
    ),
    nodes: values.node,
    engineFlags: values["engine-flags"].split(" ").filter(Boolean),
    dist: values.dist ? resolve(values.dist) : fileURLToPath(new URL("../dist", import.meta.url)),
    against: values.against ? resolve(values.against) : undefined,
    torch: !values["no-torch"],
    rounds: rounds?.[0] ?? (values.quick ? 3 : 11),
    updateRounds: rounds?.[0] ?? (values.quick ? 2 : 4),
    phases: values.phases,
    save: values.save,
    json: values.json,
    help: values.help,
  };
}

/** @typedef {ReturnType<typeof readOptions>} Options */
