/**
 * What fine-tuning gains over a start from nothing on few pictures: `node bench/fine-tune.mjs`.
 *
 * Debian's package openclipart-png in two parts without a class in common (every second folder of 30 to 120 pictures, and the
 * rest): a network is trained on the rest, and then on few pictures of the others, with the command's defaults, once from that
 * run (`--fine-tune`) and once from nothing.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";

const HELP = `node bench/fine-tune.mjs [options]
  --folder <path>   openclipart's pictures (/usr/share/openclipart/png)
  --sizes <n,...>   pictures to fine-tune on (100,260)
  --seeds <n,...>   which of them, and the run's (1,2,3,4,5)
  --model <name>    of both (resnet20)
  --image-size <n>  of both (32)
  --base <run>      a run of the first training that is there already
  --first <text>    of the first training, such as "--epochs 30"
  --choose          test on other pictures: those that settings may be chosen by
  --flags <text>    for both, such as "--epochs 60"
  --tuning <text>   for fine-tuning alone, such as "--body-rate 0.3"
  --skip-scratch    fine-tuning alone`;

const { values: options } = parseArgs({
  options: {
    folder: { type: "string", default: "/usr/share/openclipart/png" },
    sizes: { type: "string", default: "100,260" },
    seeds: { type: "string", default: "1,2,3,4,5" },
    base: { type: "string" },
    first: { type: "string", default: "" },
    choose: { type: "boolean", default: false },
    model: { type: "string", default: "resnet20" },
    "image-size": { type: "string", default: "32" },
    flags: { type: "string", default: "" },
    tuning: { type: "string", default: "" },
    "skip-scratch": { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** @typedef {{ path: string, label: string }} Picture */

/** Of a class of the first training; some have a thousand. */
const MOST = 200;
const LEAST = 10;
const MODEL = ["--model", options.model, "--image-size", options["image-size"]];
const FIRST = ["--epochs", "150", "--lr", "0.002", "--validation", "0", "--test", "0.05"];
const CHANGED = ["--augment", "flip, resizedCrop 0.35, brightness 0.2, saturation 0.3"];
const command = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));

/** @param {string | Uint8Array} data */
const digestOf = (data) => createHash("sha256").update(data).digest("hex");

/** The class of a picture: its folder, all countries' flags as one, icons by their theme and kind. @param {string} folder */
function classOf(folder) {
  const names = folder.split(sep);
  const levels = names.includes("icons") ? 4 : ["recreation", "signs_and_symbols"].includes(names[0] ?? "") ? 3 : 2;
  return names[1] === "flags" && names[2] !== "semaphore"
    ? "signs_and_symbols-flags"
    : names.slice(0, levels).join("-");
}

/** Pictures by class, without links and without copies, in an order that has nothing to do with their names. */
function findPictures() {
  /** @type {Map<string, Picture>} */
  const found = new Map();
  for (const entry of readdirSync(options.folder, { withFileTypes: true, recursive: true })) {
    const folder = relative(options.folder, entry.parentPath);
    if (!entry.isFile() || !entry.name.endsWith(".png") || /^$|^unsorted|^special/.test(folder)) continue;
    const path = join(entry.parentPath, entry.name);
    const digest = digestOf(readFileSync(path));
    if (!found.has(digest)) found.set(digest, { path, label: classOf(folder) });
  }
  /** @type {Map<string, Picture[]>} */
  const classes = new Map();
  for (const [, each] of [...found].sort(([a], [b]) => (a < b ? -1 : 1)))
    classes.set(each.label, [...(classes.get(each.label) ?? []), each]);
  return [...classes].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Every second of the folders of middling size is for fine-tuning. @param {[string, Picture[]][]} classes */
function split(classes) {
  const middling = classes.filter(([name, { length }]) => name.includes("-") && length >= 30 && length <= 120);
  const chosen = new Set(middling.filter((_, i) => i % 2 === 0).map(([name]) => name));
  const first = classes.filter(([name, { length }]) => !chosen.has(name) && length >= LEAST);
  return {
    base: new Map(first.map(([name, list]) => [name, list.slice(0, MOST)])),
    others: new Map(classes.filter(([name]) => chosen.has(name))),
  };
}

/** @template T @param {readonly T[]} list @param {(item: T) => string} keyOf */
const ordered = (list, keyOf) =>
  [...list]
    .map((item) => /** @type {const} */ ([keyOf(item), item]))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, item]) => item);

/** @param {string} file @param {readonly (Picture & { split?: string })[]} rows */
function writeList(file, rows) {
  const columns = rows[0]?.split === undefined ? "path,label" : "path,label,split";
  const lines = rows.map(({ path, label, split }) => `"${path}",${label}${split === undefined ? "" : `,${split}`}`);
  writeFileSync(file, `${[columns, ...lines].join("\n")}\n`);
}

/** @param {string} list @param {readonly string[]} flags */
async function train(list, flags) {
  const args = [command, "train", list, "--out", join(work, "runs"), "--max-broken", "0.5", ...flags];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
  const accuracy = Number(/Test accuracy ([\d.]+)%/.exec(stdout)?.[1]);
  const run = /Saved to (.*)/.exec(stdout)?.[1] ?? "";
  return { accuracy, run };
}

const words = (/** @type {string} */ text) => text.split(" ").filter((word) => word !== "");
const median = (/** @type {readonly number[]} */ list) =>
  [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN;
const show = (/** @type {readonly number[]} */ list) =>
  `${median(list).toFixed(1)} (${list.map((x) => x.toFixed(1)).join(", ")})`;

if (options.help || !existsSync(options.folder)) {
  console.log(options.help ? HELP : `got ${options.folder}; expected the folder of pictures.\n${HELP}`);
  process.exit(options.help ? 0 : 2);
}
const work = mkdtempSync(join(tmpdir(), "downhill-fine-tune-"));
mkdirSync(join(work, "runs"));
const { base, others } = split(findPictures());
const count = (/** @type {Map<string, Picture[]>} */ part) =>
  [...part.values()].reduce((sum, { length }) => sum + length, 0);
const third = (/** @type {readonly Picture[]} */ list) => Math.floor(list.length / 3);
// The defaults were chosen by one third of each class; the test is on another.
const held = new Map(
  [...others].map(([name, list]) => [name, options.choose ? list.slice(0, third(list)) : list.slice(-third(list))]),
);
console.log(
  `first ${count(base)} pictures of ${base.size} classes, then others of ${others.size}: ${[...others.keys()].join(", ")}`,
);

async function trainBase() {
  const list = join(work, "base.csv");
  writeList(list, [...base.values()].flat());
  const { accuracy, run } = await train(list, [...MODEL, ...FIRST, ...CHANGED, ...words(options.first)]);
  console.log(`${accuracy} % of the first part's test pictures right; ${run}`);
  return run;
}

const from = options.base ?? (await trainBase());
console.log(`tested on ${count(held)} pictures; median of the seeds (each)\n`);
console.log("| pictures | from nothing | fine-tuned | gain |\n|---|---|---|---|");
const left = count(others) - count(held);
for (const size of options.sizes.split(",").map(Number)) {
  /** @type {{ scratch: number[], tuned: number[] }} */
  const reached = { scratch: [], tuned: [] };
  for (const seed of options.seeds.split(",")) {
    const rows = [...others].flatMap(([label, pictures]) => {
      const kept = held.get(label) ?? [];
      const test = kept.map(({ path }) => ({ path, label, split: "test" }));
      const rest = ordered(
        pictures.filter((each) => !kept.includes(each)),
        ({ path }) => digestOf(`${seed} ${relative(options.folder, path)}`),
      );
      const few = rest.slice(0, Math.max(1, Math.round((size * rest.length) / left)));
      return [...few.map(({ path }) => ({ path, label, split: "train" })), ...test];
    });
    const list = join(work, `${size}-${seed}.csv`);
    writeList(list, rows);
    const flags = ["--seed", seed, ...words(options.flags)];
    if (!options["skip-scratch"]) reached.scratch.push((await train(list, [...flags, ...MODEL])).accuracy);
    reached.tuned.push((await train(list, [...flags, "--fine-tune", from, ...words(options.tuning)])).accuracy);
  }
  const { scratch, tuned } = reached;
  console.log(`| ${size} | ${show(scratch)} | ${show(tuned)} | ${(median(tuned) - median(scratch)).toFixed(1)} |`);
}
