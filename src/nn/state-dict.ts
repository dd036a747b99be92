import { formatAval, sameShape } from "../core/dtype.ts";
import { DataError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import { mapTree, type Tree } from "../core/tree.ts";

/** Arrays under PyTorch's flat names, as `Module.state_dict()` has them. */
export type StateDict = Readonly<Record<string, HostArray>>;

export type LoadStateOptions = {
  /** Whether a name that is missing or left over, or another shape, is an error. Default true, as PyTorch. */
  readonly strict?: boolean;
};

/** A model's trees with what was loaded into them, and what was not. */
export type LoadedState = {
  readonly params: Tree<HostArray>;
  readonly buffers: Tree<HostArray>;
  /** In the model, but not in the state: they keep their first values. */
  readonly missing: readonly string[];
  /** In the state, but not in the model. */
  readonly unexpected: readonly string[];
  /** In both, but of another type: they keep their first values. */
  readonly mismatched: readonly string[];
};

export type ModelForm = {
  readonly params: Tree<HostArray>;
  readonly buffers: Tree<HostArray>;
  /** From names to the names that they are tied to: a state has either or both. */
  readonly ties?: { readonly [target: string]: string } | undefined;
};

/** Names that an error lists before it counts the rest. */
const LISTED = 24;

/**
 * The trees of `form` with the arrays of `state` in their places.
 *
 * Counts of batches, `num_batches_tracked`, may be missing, as from PyTorch before 0.4.1, and may be f32. Tied names may both
 * be there if they are equal. Arrays are taken as they are, not copied.
 *
 * Errors: DataError that lists all that is missing, left over or of another type, unless `strict` is false.
 */
export function loadStateDict(form: ModelForm, state: StateDict, options: LoadStateOptions = {}): LoadedState {
  const faults = {
    missing: new Map<string, string>(),
    unexpected: new Map<string, string>(),
    mismatched: new Map<string, string>(),
  };
  const left = new Map(Object.entries(state));
  for (const [target, source] of Object.entries(form.ties ?? {})) {
    const own = left.get(target);
    left.delete(target);
    const shared = left.get(source);
    if (own === undefined) continue;
    if (shared === undefined) left.set(source, own);
    else if (!equal(own, shared))
      faults.mismatched.set(
        target,
        `got ${target} and ${source} with different values; expected them equal, since they are tied.`,
      );
  }
  const take = (made: HostArray, path: string): HostArray => {
    const found = left.get(path);
    left.delete(path);
    if (found === undefined) {
      if (!isBatchCount(path)) faults.missing.set(path, `${path} is missing; expected ${formatAval(made.aval)}.`);
      return made;
    }
    const fitting = fit(found, made);
    if (fitting === undefined)
      faults.mismatched.set(path, `got ${formatAval(found.aval)} for ${path}; expected ${formatAval(made.aval)}.`);
    return fitting ?? made;
  };
  const loaded = { params: mapTree(form.params, take), buffers: mapTree(form.buffers, take) };
  for (const [path] of left) faults.unexpected.set(path, `got ${path}, which this model does not have.`);
  if (options.strict ?? true) refuse(faults);
  const names = (of: ReadonlyMap<string, string>): string[] => [...of.keys()];
  return {
    ...loaded,
    missing: names(faults.missing),
    unexpected: names(faults.unexpected),
    mismatched: names(faults.mismatched),
  };
}

const isBatchCount = (path: string): boolean => path.split(".").at(-1) === "num_batches_tracked";

const equal = (a: HostArray, b: HostArray): boolean =>
  a.data === b.data || (sameShape(a.shape, b.shape) && a.data.every((value, i) => Object.is(value, b.data[i])));

/** The array as the model has it; undefined where it does not fit. */
function fit(found: HostArray, made: HostArray): HostArray | undefined {
  if (!sameShape(found.shape, made.shape)) return undefined;
  if (found.dtype === made.dtype) return found;
  if (made.dtype === "i32" && found.dtype === "f32" && found.data.every((value) => (value | 0) === value))
    return new HostArray("i32", found.shape, Int32Array.from(found.data));
  return undefined;
}

type Faults = Readonly<Record<"missing" | "unexpected" | "mismatched", ReadonlyMap<string, string>>>;

function refuse(faults: Faults): void {
  const { missing, unexpected, mismatched } = faults;
  const all = [...missing, ...mismatched, ...unexpected];
  const [first] = all;
  if (first === undefined) return;
  const hint = prefixHint(missing, unexpected);
  if (all.length === 1) throw new DataError(`state: ${first[1]}${hint}`, first[0]);
  const counts = [
    [missing.size, "missing"],
    [mismatched.size, "of another type"],
    [unexpected.size, "too many"],
  ] as const;
  const summary = counts.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(", ");
  const lines = all.slice(0, LISTED).map(([, text]) => `\n  ${text}`);
  const rest = all.length > LISTED ? `\n  ... and ${all.length - LISTED} more` : "";
  const end = hint === "" ? "" : `\n ${hint}`;
  throw new DataError(
    `state: got arrays that do not fit the model: ${summary}.${lines.join("")}${rest}${end}`,
    first[0],
  );
}

const WRAPPERS: Readonly<Record<string, string>> = { "module.": "DataParallel", "_orig_mod.": "torch.compile" };

/** Says how to go on where all that is missing is there under one longer or shorter name. */
function prefixHint(missing: ReadonlyMap<string, string>, unexpected: ReadonlyMap<string, string>): string {
  const fits = (wanted: readonly string[], given: ReadonlyMap<string, string>): string | undefined => {
    const [path] = wanted;
    if (path === undefined) return undefined;
    for (const name of given.keys()) {
      if (!name.endsWith(`.${path}`)) continue;
      const prefix = name.slice(0, -path.length);
      if (wanted.every((each) => given.has(prefix + each))) return prefix;
    }
    return undefined;
  };
  const longer = fits([...missing.keys()], unexpected);
  if (longer !== undefined) {
    const wrapper = WRAPPERS[longer];
    return ` Hint: nn.stripPrefix(state, "${longer}") takes off what ${wrapper ?? "a larger model"} put before the names.`;
  }
  const shorter = fits(
    [...unexpected.keys()].filter((name) => !isBatchCount(name)),
    missing,
  );
  return shorter === undefined
    ? ""
    : ` Hint: the model's names begin with "${shorter}", which those of the state lack.`;
}

/**
 * The state without `prefix` before its names; names without it stay as they are.
 *
 * Errors: DataError where two names become one.
 *
 * @example
 * Object.keys(nn.stripPrefix({ "module.fc.bias": array([0]) }, "module.")) // -> [ "fc.bias" ]
 */
export function stripPrefix(state: StateDict, prefix: string): Record<string, HostArray> {
  const out = new Map<string, HostArray>();
  for (const [name, value] of Object.entries(state)) {
    const short = name.startsWith(prefix) ? name.slice(prefix.length) : name;
    if (out.has(short)) throw new DataError(`stripPrefix: got ${short} twice, with and without "${prefix}".`, name);
    out.set(short, value);
  }
  return Object.fromEntries(out);
}

/** The state without what `DataParallel` and `torch.compile` put before every name. */
export function unwrapped(state: StateDict): StateDict {
  const names = Object.keys(state);
  const prefix = Object.keys(WRAPPERS).find((each) => names.length > 0 && names.every((name) => name.startsWith(each)));
  return prefix === undefined ? state : unwrapped(stripPrefix(state, prefix));
}

/** The state with tied arrays under all their names, as PyTorch has it. */
export function withTies(
  state: StateDict,
  ties: { readonly [target: string]: string } = {},
): Record<string, HostArray> {
  const shared = Object.entries(ties).flatMap(([target, source]): [string, HostArray][] => {
    const value = state[source];
    return value === undefined ? [] : [[target, value]];
  });
  return Object.fromEntries([...Object.entries(state), ...shared]);
}

/** The names that PyTorch keeps as i64: counts of batches. */
export function longNames(state: StateDict): readonly string[] {
  return Object.keys(state).filter((name) => isBatchCount(name) && state[name]?.dtype === "i32");
}
