import { OptionError } from "../core/errors.ts";
import type { HyperSpec, Rule } from "../optim/hyper.ts";
import { parseSchedule } from "../optim/schedules/grammar.ts";
import { table } from "../optim/table.ts";
import { suggest } from "./settings.ts";

type Data = Readonly<Record<string, unknown>>;

/** `a b "c d" e=1`: words, of which quotes make one. */
function words(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replaceAll(/["']/g, ""));
}

/** true, false, a number, or the text itself. */
function plain(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
}

/** What a hyperparameter is given on a command line: numbers may be schedules, whose own rate is the default. */
export function hyperValue(where: string, spec: HyperSpec | undefined, given: unknown): unknown {
  if (spec?.type !== "number" || typeof given !== "string") return given;
  try {
    return parseSchedule(given, spec.default ?? 1);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new OptionError(`${where}: ${error.message.replace(/^\w+: /, "")}`, where);
  }
}

function valuesOf(where: string, owner: string, hypers: Rule["hypers"], given: readonly string[]): Data {
  const known = Object.keys(hypers);
  const [first] = known;
  return Object.fromEntries(
    given.map((word, i) => {
      const [, named, value = word] = /^(\w+)=(.*)$/.exec(word) ?? [];
      const name = named ?? (i === 0 ? first : undefined);
      if (name === undefined || !known.includes(name))
        throw new OptionError(
          `${where}: got "${word}" for ${owner}; expected ${known.length === 0 ? "nothing" : `one of ${known.join(", ")}, as in ${known.at(-1)}=...`}.${suggest(named ?? word, known)}`,
          where,
        );
      return [name, hyperValue(where, hypers[name], plain(value))];
    }),
  );
}

/**
 * A transform's or wrapper's config from its text: its name, its first hyperparameter, and others as name=value. A wrapper's
 * config lacks what it wraps.
 */
export function parseTransform(flag: string, text: string, role: "transform" | "wrapper"): Data {
  const where = `--${flag}`;
  const [name = "", ...given] = words(text);
  const rows = table.filter((row) => row.role === role);
  const rule = rows.find((row) => row.name === name);
  const names = rows.map((row) => row.name);
  if (rule === undefined)
    throw new OptionError(
      `${where}: got "${name}"; expected one of ${names.join(", ")}.${suggest(name, names)}`,
      where,
    );
  const { hypers } = rule;
  const own = Object.fromEntries(Object.entries(hypers).filter(([, spec]) => spec.type !== "transform"));
  return { name, ...valuesOf(where, name, own, given) };
}

/** A group's config from its text: patterns, a colon, and name=value for what differs. */
export function parseGroup(text: string, hypers: Rule["hypers"]): Data {
  const where = "--group";
  const at = text.indexOf(":");
  if (at < 1)
    throw new OptionError(
      `${where}: got "${text}"; expected parameters, a colon and options, such as "0, 3: rateFactor=0.1".`,
      where,
    );
  const own: Rule["hypers"] = {
    rateFactor: { type: "number", default: 1, text: "" },
    freeze: { type: "number", default: 1, text: "" },
    name: { type: "parameters", default: null, text: "" },
  };
  const named = words(text.slice(at + 1));
  const bare = named.find((word) => !word.includes("="));
  if (bare !== undefined)
    throw new OptionError(`${where}: got "${bare}"; expected name=value, such as rateFactor=0.1.`, where);
  return {
    params: text.slice(0, at).trim(),
    ...valuesOf(where, "a group", { ...hypers, ...own }, named),
  };
}
