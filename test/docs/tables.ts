/**
 * Tables of the documentation that say what the code says: between `<!-- generated: NAME -->` and `<!-- /generated -->` stands what
 * `tables[NAME]` gives. `npm run docs` rewrites them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Argument, Command, Option } from "commander";
import { program } from "../../src/cli/program.ts";
import { recipeOf } from "../../src/cli/recipe.ts";
import { Screen } from "../../src/cli/screen.ts";
import { kebab, RULES } from "../../src/cli/settings.ts";
import { isTemplate, isView } from "../../src/compile/materialize.ts";
import { type Aval, formatAval } from "../../src/core/dtype.ts";
import { HostArray } from "../../src/core/host-array.ts";
import type { Equation } from "../../src/ir/program.ts";
import { contractPrimitives } from "../../src/ops/contract.ts";
import type { Primitive } from "../../src/ops/primitive.ts";
import { reducePrimitives } from "../../src/ops/reduce.ts";
import { type PrimitiveName, primitiveNames, primitiveOf } from "../../src/ops/table.ts";
import { defaultOf, type HyperSpec, type Like, type Rule } from "../../src/optim/hyper.ts";
import { describeRange } from "../../src/optim/range.ts";
import { table as schedules } from "../../src/optim/schedules/table.ts";
import { table as rules } from "../../src/optim/table.ts";
import { Random } from "../../src/testing/random.ts";
import type { Sample } from "../../src/testing/samples/sample.ts";
import { samplePrimitives } from "../../src/testing/samples/table.ts";
import { root } from "../built.ts";
import { augmentationTable } from "./augmentation-table.ts";
import { datasetTable } from "./dataset-table.ts";
import { constantTable, derivativeTable } from "./derivatives.ts";
import { layerTable } from "./layer-table.ts";
import { code, markdownTable } from "./markdown.ts";

function ruleTable(role: Rule["role"]): string {
  const rows = rules
    .filter((rule) => rule.role === role)
    .map(({ name, equation, source, hypers }) => {
      const [first = "", ...options] = Object.keys(hypers);
      const call = `${name}(${first}${options.length > 0 ? `, { ${options.join(", ")} }` : ""})`;
      return [code(call), equation, source];
    });
  return markdownTable(["call", "equation (x a parameter, g its gradient, a the rate)", "source"], rows);
}

const quoted = (value: unknown): string => code(typeof value === "string" ? `"${value}"` : `${value}`);

function shownDefault(spec: HyperSpec, first: boolean): string {
  const own = spec.default === null ? (first ? "(must be given)" : "left out") : quoted(spec.default);
  const others = Object.entries("like" in spec ? (spec.like ?? {}) : {});
  const shown = others.map(([like, value]) => `${value === null ? "left out" : quoted(value)} like ${like}`);
  return [own, ...shown].join(", ");
}

function rangeOf(spec: HyperSpec): string {
  if (spec.type === "flag") return "true or false";
  if (spec.type === "choice") return spec.choices.map(quoted).join(", ");
  if (spec.type === "parameters") return "a [pattern](parameters.md)";
  if (spec.type === "transform") return "a transform";
  return `${describeRange(spec)}${spec.fixed ? "; no schedule" : ""}`;
}

function hyperTable(): string {
  const rows = rules.flatMap(({ name, hypers }) =>
    Object.entries(hypers).map(([hyper, spec], i) => [
      i === 0 ? code(name) : "",
      code(hyper),
      shownDefault(spec, i === 0),
      rangeOf(spec),
      spec.text,
    ]),
  );
  return markdownTable(["rule", "hyperparameter", "default", "values", "meaning"], rows);
}

/** For each rule that several frameworks have: whose equation is whose, and the numbers that they have for what is left out. */
function conventionTable(): string {
  const rows = rules.flatMap((rule) => {
    const { like } = rule.hypers;
    if (like?.type !== "choice") return [];
    const numbers = (whose: string): string =>
      Object.entries(rule.hypers)
        .filter(([name]) => name !== "like")
        .flatMap(([name, spec]) => {
          const value = defaultOf(spec, whose);
          const differs = like.choices.some((other) => defaultOf(spec, other) !== value);
          return differs ? [`${name} ${value ?? "left out"}`] : [];
        })
        .join(", ");
    return like.choices.map((whose, i) => [
      i === 0 ? code(rule.name) : "",
      `${quoted(whose)}${whose === like.default ? " (default)" : ""}`,
      rule.equations?.[whose as Like] ?? rule.equation,
      numbers(whose),
    ]);
  });
  return markdownTable(["rule", "`like`", "equation", "where numbers left out differ"], rows);
}

function choiceTable(): string {
  const rows = rules.flatMap(({ name, hypers }) =>
    Object.entries(hypers).flatMap(([hyper, spec]) =>
      spec.type === "choice" && hyper !== "like"
        ? [[code(name), `${code(hyper)}: ${rangeOf(spec)}`, shownDefault(spec, false), spec.text]]
        : [],
    ),
  );
  return markdownTable(["rule", "choice", "default", "what differs"], rows);
}

function scheduleTable(): string {
  const rows = schedules.map(({ kind, equation, text, source }) => [
    code(kind),
    equation,
    text === undefined ? "none" : code(`"${text}"`),
    source,
  ]);
  return markdownTable(["schedule", "rate (a0 the rate given)", "as text, for example", "source, and its like"], rows);
}

function scheduleOptionTable(): string {
  const rows = schedules.flatMap(({ kind, options }) =>
    Object.entries(options).map(([name, text], i) => [i === 0 ? code(kind) : "", code(name), text]),
  );
  return markdownTable(["schedule", "option", "meaning and default"], rows);
}

function scheduleConventionTable(): string {
  const rows = schedules.flatMap(({ kind, conventions }) =>
    conventions === undefined ? [] : [[code(kind), conventions]],
  );
  return markdownTable(["schedule", "whose convention is whose"], rows);
}

const apply = (primitive: Primitive, { params, inputs }: Sample): readonly Aval[] =>
  primitive.shape(params, ...inputs.map(({ dtype, shape }) => ({ dtype, shape })));

const nameOfTypes = (types: readonly Aval[], form: (type: Aval) => string): string =>
  types.map(form).join(" ") || "nothing";

function elementwiseTable(): string {
  const rows = primitiveNames.map((name) => {
    const primitive = primitiveOf(name);
    if (primitive.elementwise !== true) return [];
    const types = samplePrimitives[name].dtypes.map((dtype) => {
      const sample = samplePrimitives[name].draw(new Random(0), dtype);
      const side = (avals: readonly Aval[]): string => nameOfTypes(avals, (type) => type.dtype);
      // What a cast makes of its input is a parameter of the sample.
      return `${side(sample.inputs)} → ${name === "cast" ? "any" : side(apply(primitive, sample))}`;
    });
    return [code(name), [...new Set(types)].join("; "), primitive.vjp === "none" ? "none" : "yes"];
  });
  const heads = ["primitive", "types (of one shape)", "derivative"];
  return markdownTable(
    heads,
    rows.filter((row) => row.length > 0),
  );
}

/** A sample that reads well: a few short axes of different sizes, and not the same shape in and out. */
function plainSample(name: PrimitiveName): Sample {
  const row = samplePrimitives[name];
  const dtype = row.dtypes[0] as (typeof row.dtypes)[number];
  const candidates = Array.from({ length: 300 }, (_, seed) => row.draw(new Random(seed), dtype));
  const cost = (sample: Sample): number => {
    const types = [...sample.inputs, ...apply(primitiveOf(name), sample)];
    const shapes = types.map(({ shape }) => shape);
    const ofShape = (shape: readonly number[]): number =>
      shape.reduce(
        (sum, size, axis) => sum + (size === 1 ? 10 : shape.indexOf(size) < axis ? 6 : size),
        12 / shape.length,
      );
    const params = JSON.stringify(sample.params);
    const idle = params.includes('"window":[1,1]') ? 30 : 0;
    const alike = `${shapes.at(0)}` === `${shapes.at(-1)}` ? 20 : 0;
    return shapes.reduce((sum, shape) => sum + ofShape(shape), alike + idle + params.length / 10);
  };
  return candidates.reduce((best, sample) => (cost(sample) < cost(best) ? sample : best));
}

function formatParam(value: unknown): string {
  if (value instanceof HostArray) return formatAval(value.aval);
  if (Array.isArray(value)) return `[${value.map(formatParam).join(", ")}]`;
  return typeof value === "number" ? `${Number(value.toPrecision(2))}` : String(value);
}

function loweringOf(name: PrimitiveName): string {
  const equation: Equation = { primitive: name, params: {}, inputs: [], outputs: [], phase: "forward", site: "" };
  const isIn = (list: readonly Primitive<never>[]): boolean => list.some((one) => one.name === name);
  if (isIn(contractPrimitives)) return "template: contraction";
  if (isIn(reducePrimitives)) return "template: reduction";
  if (isTemplate(equation))
    return samplePrimitives[name].draw(new Random(0), "f32").inputs.length > 0 ? "template: scatter" : "memory";
  return isView(equation) ? "view of memory, or in the loops that read it" : "in the loops that read it";
}

function otherTable(): string {
  const rows = primitiveNames.map((name) => {
    const primitive = primitiveOf(name);
    if (primitive.elementwise === true) return [];
    const sample = plainSample(name);
    const params = Object.entries(sample.params).map(([key, value]) => `${key}: ${formatParam(value)}`);
    const call = `${nameOfTypes(sample.inputs, formatAval)} → ${nameOfTypes(apply(primitive, sample), formatAval)}`;
    return [
      code(name),
      `${code(call)}${params.length > 0 ? ` with ${params.join(", ")}` : ""}`,
      primitive.vjp === "none" ? "none" : "yes",
      loweringOf(name),
    ];
  });
  const heads = ["primitive", "types, for example", "derivative", "where it is computed"];
  return markdownTable(
    heads,
    rows.filter((row) => row.length > 0),
  );
}

const commands = program(new Screen(), () => {});

function commandNamed(name: string): Command {
  const found = commands.commands.find((command) => command.name() === name);
  if (found === undefined) throw new Error(`there is no command ${name}`);
  return found;
}

function commandTable(): string {
  const term = (argument: Argument): string => (argument.required ? `<${argument.name()}>` : `[${argument.name()}]`);
  const rows = commands.commands.map((command) => [
    code(["downhill", command.name(), ...command.registeredArguments.map(term)].join(" ")),
    [
      command.description(),
      ...command.registeredArguments.map((argument) => `${code(term(argument))}: ${argument.description}.`),
    ].join(" "),
  ]);
  return markdownTable(["command", "what it does"], rows);
}

const flagRows = (options: readonly Option[]): string[][] =>
  options.map((option) => [code(option.flags), option.description]);

function flagTable(name: string): string {
  const shown = commandNamed(name).options.filter((option) => !option.hidden);
  return markdownTable(["flag", "meaning (default)"], flagRows(shown));
}

function recipeTable(): string {
  const rows = RULES.map(({ name }) => {
    const { lr, schedule } = recipeOf({ data: "mnist", optimizer: name }, {});
    return [code(name), code(`${lr}`), code(`${schedule}`)];
  });
  return markdownTable(["optimizer", "`--lr` by default", "`--schedule` by default"], rows);
}

function hyperFlagTable(): string {
  const { options } = commandNamed("train");
  const hidden = options.filter((option) => option.hidden && !option.negate);
  const rows = hidden.map(({ long, flags }) => {
    const no = options.find((option) => option.negate && option.long === long?.replace("--", "--no-"));
    const owners = RULES.flatMap(({ name, hypers }) =>
      Object.entries(hypers).flatMap(([hyper, { text }]) => (`--${kebab(hyper)}` === long ? [{ name, text }] : [])),
    );
    const texts = [...new Set(owners.map(({ text }) => text))].map((text) => {
      const names = owners.filter((owner) => owner.text === text).map(({ name }) => name);
      return { names: names.join(", "), text };
    });
    return [
      no === undefined ? code(flags) : `${code(flags)}, ${code(no.flags)}`,
      texts.map(({ names, text }) => `${names}: ${text}`).join("; "),
    ];
  });
  return markdownTable(["flag", "optimizers and meaning"], rows);
}

/** A table from what the page has in its place: measurements are printed anew only where they no longer hold. */
export type MakeTable = (current: string) => string | Promise<string>;

const recorded = <T>(file: string): { readonly date: string; readonly node: string; readonly rows: readonly T[] } =>
  JSON.parse(readFileSync(join(root, "docs", file), "utf8"));

const count = (n: number): string => n.toLocaleString("en-US");

function killTable(): string {
  type Row = { recipe: string; kills: number; sessions: number; stepsRedone: number; moments: Record<string, number> };
  const { date, node, rows } = recorded<Row>("faults.json");
  const sum = (of: (row: Row) => number): number => rows.reduce((total, row) => total + of(row), 0);
  const moments = Object.keys(rows[0]?.moments ?? {});
  const line = (name: string, of: (pick: (row: Row) => number) => number): string[] => [
    name,
    count(of(({ kills }) => kills)),
    ...moments.map((moment) => count(of((row) => row.moments[moment] ?? 0))),
    count(of(({ sessions }) => sessions)),
    count(of(({ stepsRedone }) => stepsRedone)),
    "nothing",
  ];
  const table = markdownTable(
    ["trained", "kills", ...moments, "sessions", "steps done again", "lost"],
    [...rows.map((row) => line(row.recipe, (pick) => pick(row))), line("**all**", sum)],
  );
  return `Of ${date}, Node ${node.slice(1)}:\n\n${table}`;
}

function fuzzTable(): string {
  type Row = Record<"target", string> &
    Record<"files" | "refused" | "read" | "slowest ms" | "most KiB" | "factor", number>;
  const { date, node, rows } = recorded<Row>("fuzz.json");
  const names = ["files", "refused", "read", "slowest ms", "most KiB", "factor"] as const;
  const cells = rows.map((row) => [row.target, ...names.map((name) => count(row[name]))]);
  const total = rows.reduce((sum, { files }) => sum + files, 0);
  return `Of ${date}, Node ${node.slice(1)}, ${count(total)} files:\n\n${markdownTable(["format", ...names], cells)}`;
}

export const tables: Readonly<Record<string, MakeTable>> = {
  datasets: datasetTable,
  kills: killTable,
  fuzz: fuzzTable,
  rules: () => ruleTable("rule"),
  transforms: () => ruleTable("transform"),
  wrappers: () => ruleTable("wrapper"),
  hyperparameters: hyperTable,
  conventions: conventionTable,
  choices: choiceTable,
  schedules: scheduleTable,
  "schedule options": scheduleOptionTable,
  "schedule conventions": scheduleConventionTable,
  layers: layerTable,
  augmentations: augmentationTable,
  elementwise: elementwiseTable,
  "other primitives": otherTable,
  derivatives: derivativeTable,
  "no derivatives": constantTable,
  commands: commandTable,
  "train flags": () => flagTable("train"),
  "optimizer recipes": recipeTable,
  "optimizer flags": hyperFlagTable,
  "evaluate flags": () => flagTable("evaluate"),
  "export flags": () => flagTable("export"),
  "report flags": () => flagTable("report"),
  "profile flags": () => flagTable("profile"),
};

const MARKED = /(<!-- generated: (.*?) -->\n)([\s\S]*?)(<!-- \/generated -->)/g;

export function namesIn(markdown: string): string[] {
  return [...markdown.matchAll(MARKED)].map(([, , name = ""]) => name);
}

/** The page with each of its tables as the code gives it now. */
export async function withTables(page: string, markdown: string, from: typeof tables = tables): Promise<string> {
  const made = new Map<string, string>();
  for (const [, , name = "", current = ""] of markdown.matchAll(MARKED)) {
    const make = from[name];
    if (make === undefined)
      throw new Error(`${page}: there is no table "${name}"; there are ${Object.keys(from).join(", ")}`);
    made.set(name, await make(current));
  }
  return markdown.replace(
    MARKED,
    (_, start: string, name: string, _current: string, end: string) => `${start}\n${made.get(name)}\n\n${end}`,
  );
}
