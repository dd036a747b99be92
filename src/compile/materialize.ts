import { sizeOf } from "../core/dtype.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import type { ConvInputGradParams } from "../ops/contract.ts";
import { isPrimitive, primitiveOf } from "../ops/table.ts";
import type { ConvParams, PoolParams } from "../ops/tensor.ts";
import type { Border } from "./layout.ts";

/** Equations that reinterpret memory: their results are views wherever their input lies in memory. */
const VIEWS: ReadonlySet<string> = new Set(["reshape", "transpose", "broadcast", "slice"]);

/** Lowered by templates: what they write always lies in memory. */
const TEMPLATES: ReadonlySet<string> = new Set([
  "sum",
  "reduceMax",
  "reduceMin",
  "argmax",
  "dot",
  "conv2d",
  "convInputGrad",
  "convWeightGrad",
  "maxUnpool",
  "sumUnpool",
  "unslice",
  "scatterAdd",
  "scan",
  "while",
  "cond",
  "array",
]);

/** Templates that read their operands through strides and so need them in memory; the others take expressions. */
const STRIDED_OPERANDS: ReadonlySet<string> = new Set([
  "dot",
  "conv2d",
  "convInputGrad",
  "convWeightGrad",
  "scan",
  "while",
  "cond",
]);

/** Rough cost of computing an element again, in additions. */
const COSTS: Readonly<Record<string, number>> = {
  exp: 8,
  expm1: 12,
  log: 8,
  log1p: 12,
  tanh: 10,
  sigmoid: 10,
  sin: 10,
  cos: 10,
  erf: 14,
  pow: 25,
  rem: 8,
  div: 3,
  sqrt: 3,
  randomBits: 60,
  gather: 3,
  maxPool: 4,
  sumPool: 3,
  maxPick: 4,
  concatenate: 2,
  pad: 2,
};

const RECOMPUTE_LIMIT = 8;
const EXPRESSION_LIMIT = 120;

export function isView(eq: Equation): boolean {
  return VIEWS.has(eq.primitive);
}
export function isTemplate(eq: Equation): boolean {
  return TEMPLATES.has(eq.primitive);
}
export function isElementwise(eq: Equation): boolean {
  return isPrimitive(eq.primitive) && primitiveOf(eq.primitive).elementwise === true;
}

export type Analysis = {
  readonly definition: ReadonlyMap<number, Equation>;
  readonly consumers: ReadonlyMap<number, readonly Equation[]>;
  /** Variables that get memory; everything else is computed where it is read. */
  readonly stored: Set<number>;
  /** Axis orders, outermost first, of variables whose order is not row-major. */
  readonly order: (v: Var) => readonly number[] | undefined;
  readonly border: ReadonlyMap<number, Border>;
};

/** The equations with a copy in front of each convolution operand that cannot be given a zero border where it lies. */
export function withBorderCopies(program: Program, nextId: () => number): Program {
  const owned = new Set<number>();
  const outputs = new Set(program.outputs.map((o) => o.value.id));
  const equations: Equation[] = [];
  const copies = new Map<number, Var>();
  for (const eq of program.equations) {
    const needs = borderNeeds(eq);
    const inputs = eq.inputs.map((v, i) => {
      if (!needs[i] || (owned.has(v.id) && !outputs.has(v.id))) return v;
      const made = copies.get(v.id) ?? { id: nextId(), aval: v.aval };
      if (!copies.has(v.id)) {
        copies.set(v.id, made);
        equations.push({
          primitive: "alias",
          params: {},
          inputs: [v],
          outputs: [made],
          phase: eq.phase,
          site: eq.site,
        });
      }
      return made;
    });
    equations.push({ ...eq, inputs });
    if (!VIEWS.has(eq.primitive) && eq.primitive !== "array" && !eq.programs)
      for (const v of eq.outputs) owned.add(v.id);
  }
  return { ...program, equations };
}

const NONE: readonly [number, number] = [0, 0];

/** For each operand of a convolution, the zero border it must have. */
export function borderNeeds(eq: Equation): (Border | undefined)[] {
  const present = (border: Border): Border | undefined =>
    border.some(([low, high]) => low + high > 0) ? border : undefined;
  const params = eq.params as unknown as ConvParams;
  switch (eq.primitive) {
    case "conv2d":
    case "convWeightGrad":
      return [present([NONE, NONE, ...params.padding]), undefined];
    case "convInputGrad": {
      const { inputShape } = eq.params as unknown as ConvInputGradParams;
      const [g, w] = eq.inputs as [Var, Var];
      const side = (axis: 0 | 1): readonly [number, number] => {
        const size = inputShape[2 + axis] as number;
        const out = g.aval.shape[2 + axis] as number;
        const reach = params.dilation[axis] * ((w.aval.shape[2 + axis] as number) - 1);
        const pad = params.padding[axis][0];
        const stride = params.stride[axis];
        // Output rows read for input row h: (h + pad - dilation * tap) / stride, for the taps that divide.
        return [
          Math.max(0, Math.ceil((reach - pad) / stride)),
          Math.max(0, Math.floor((size - 1 + pad) / stride) - (out - 1)),
        ];
      };
      return [present([NONE, NONE, side(0), side(1)]), undefined];
    }
    default:
      return [];
  }
}

const NHWC = [0, 2, 3, 1];
const HWIO = [2, 3, 1, 0];

/** Decides what lies in memory, and in which order of axes. `fixed` holds the orders of inputs that already have a place. */
export function analyse(program: Program, fixed: (path: string) => readonly number[] | undefined): Analysis {
  const definition = new Map<number, Equation>();
  const consumers = new Map<number, Equation[]>();
  for (const eq of program.equations) {
    for (const v of eq.outputs) definition.set(v.id, eq);
    for (const v of new Set(eq.inputs)) consumers.set(v.id, [...(consumers.get(v.id) ?? []), eq]);
  }
  const stored = chooseStored(program, definition, consumers);
  const orders = chooseOrders(program, definition, stored, fixed);
  const border = new Map<number, Border>();
  for (const eq of program.equations)
    borderNeeds(eq).forEach((need, i) => {
      const v = eq.inputs[i] as Var;
      if (!need) return;
      const known = border.get(v.id);
      border.set(
        v.id,
        known
          ? known.map(
              ([low, high], d) => [Math.max(low, need[d]?.[0] ?? 0), Math.max(high, need[d]?.[1] ?? 0)] as const,
            )
          : need,
      );
    });
  return { definition, consumers, stored, order: orders, border };
}

function chooseStored(
  program: Program,
  definition: ReadonlyMap<number, Equation>,
  consumers: ReadonlyMap<number, readonly Equation[]>,
): Set<number> {
  const stored = new Set<number>();
  const inputs = new Set(program.inputs.map((i) => i.value.id));
  /** The variable whose memory a view of `v` would show. */
  const base = (v: Var): Var => {
    const eq = definition.get(v.id);
    return eq && isView(eq) && !stored.has(v.id) ? base(eq.inputs[0] as Var) : v;
  };
  const store = (v: Var): void => {
    const b = base(v);
    if (!inputs.has(b.id)) stored.add(b.id);
  };
  const uses = (v: Var): number =>
    (consumers.get(v.id)?.length ?? 0) + program.outputs.filter((o) => o.value.id === v.id).length;
  const updates = updateValues(program, consumers);
  const arrays = arraysBehind(stored);
  const cost = new Map<number, number>();
  const costOf = (v: Var): number => (stored.has(v.id) || inputs.has(v.id) ? 0 : (cost.get(v.id) ?? 0));
  for (const eq of program.equations) {
    if (isTemplate(eq)) {
      for (const v of eq.outputs) if (uses(v) > 0) stored.add(v.id);
      if (STRIDED_OPERANDS.has(eq.primitive)) for (const v of eq.inputs) store(v);
      continue;
    }
    if (eq.primitive === "reshape" && !splitsOnly(eq)) store(eq.inputs[0] as Var);
    const [first] = eq.outputs as [Var];
    if (eq.primitive === "broadcast") {
      const [x] = eq.inputs as [Var];
      if (costOf(x) >= 2 && sizeOf(first.aval.shape) >= 4 * sizeOf(x.aval.shape)) store(x);
    }
    if (eq.primitive === "maxPool" || eq.primitive === "sumPool") {
      const { window, stride } = eq.params as unknown as PoolParams;
      // A byte for each window, instead of its values kept until the backward pass.
      const [, position] = eq.outputs;
      if (position && uses(position) > 0) stored.add(position.id);
      if ((window[0] > stride[0] || window[1] > stride[1]) && costOf(eq.inputs[0] as Var) >= 3)
        store(eq.inputs[0] as Var);
    }
    if (eq.primitive === "alias") for (const v of eq.outputs) stored.add(v.id);
    const own = isView(eq) || eq.primitive === "full" ? 0 : (COSTS[eq.primitive] ?? 1);
    const total = own + eq.inputs.reduce((sum, v) => sum + costOf(v), 0);
    for (const v of eq.outputs) {
      cost.set(v.id, total);
      const read = arrays(eq, v);
      if (isView(eq) || eq.primitive === "full" || eq.primitive === "iota") continue;
      if (updates.has(v.id)) continue;
      // Computed again at each use it reads all its arrays each time; stored, once, and itself at each use.
      const traffic = uses(v) * read > read + 1 + uses(v);
      if ((uses(v) >= 2 && (total >= RECOMPUTE_LIMIT || traffic)) || total >= EXPRESSION_LIMIT) stored.add(v.id);
    }
  }
  return stored;
}

/** Elements of an array that does not stay in the second-level cache between two kernels. */
const LARGE = 2 ** 18;

/** Counts, equation by equation, the arrays of a value's own size that computing it reads from memory; 0 for small values. */
function arraysBehind(stored: ReadonlySet<number>): (eq: Equation, v: Var) => number {
  const behind = new Map<number, ReadonlySet<number>>();
  return (eq, v) => {
    const size = sizeOf(v.aval.shape);
    if (size < LARGE) return 0;
    const found = new Set<number>();
    for (const input of eq.inputs) {
      const known = stored.has(input.id) ? undefined : behind.get(input.id);
      if (known) for (const id of known) found.add(id);
      else if (2 * sizeOf(input.aval.shape) >= size) found.add(input.id);
    }
    behind.set(v.id, found);
    return found.size;
  };
}

/**
 * Values from which an update leads, element by element, to new state and nothing else. All of that state is written by the kernel
 * that reads what the value is made of, which computes the value once for each element: memory of its own would be another pass.
 */
function updateValues(program: Program, consumers: ReadonlyMap<number, readonly Equation[]>): ReadonlySet<number> {
  const found = new Set<number>();
  const results = new Set(program.outputs.flatMap((o) => (o.role === "result" ? [o.value.id] : [])));
  const isPart = (eq: Equation): boolean => isElementwise(eq) && eq.primitive !== "alias" && !isTemplate(eq);
  for (const eq of program.equations.toReversed()) {
    if (!isPart(eq)) continue;
    for (const v of eq.outputs) {
      const next = consumers.get(v.id) ?? [];
      if (
        !results.has(v.id) &&
        next.every((to) => isPart(to) && to.phase === eq.phase && to.outputs.every((w) => found.has(w.id)))
      )
        found.add(v.id);
    }
  }
  return found;
}

/** True where every input axis is the product of output axes (or of size 1), so that an output index gives the input's by sums. */
export function splitsOnly(eq: Equation): boolean {
  const input = (eq.inputs[0] as Var).aval.shape;
  const output = (eq.outputs[0] as Var).aval.shape;
  return splitMap(input, output) !== null;
}

/** For each input axis the output axes that make it up, or null. */
export function splitMap(input: readonly number[], output: readonly number[]): number[][] | null {
  const map: number[][] = [];
  let axis = 0;
  for (const size of input) {
    const group: number[] = [];
    let product = 1;
    while (product < size) {
      const next = output[axis];
      if (next === undefined || size % (product * next) !== 0) return null;
      group.push(axis++);
      product *= next;
    }
    map.push(group);
  }
  while (axis < output.length) if (output[axis++] !== 1) return null;
  return map;
}

/** Groups of variables that share an order of axes, because elementwise equations connect them. */
class OrderClasses {
  private readonly parent = new Map<number, number>();
  private readonly chosen = new Map<number, { readonly order: readonly number[]; readonly priority: number }>();

  find(id: number): number {
    let at = id;
    for (let up = this.parent.get(at); up !== undefined; up = this.parent.get(at)) at = up;
    return at;
  }
  union(a: number, b: number): void {
    const [x, y] = [this.find(a), this.find(b)];
    if (x !== y) this.parent.set(x, y);
  }
  demand(id: number, order: readonly number[], priority: number): void {
    const at = this.find(id);
    const known = this.chosen.get(at);
    if (!known || known.priority < priority) this.chosen.set(at, { order, priority });
  }
  order(id: number): readonly number[] | undefined {
    return this.chosen.get(this.find(id))?.order;
  }
}

function chooseOrders(
  program: Program,
  definition: ReadonlyMap<number, Equation>,
  stored: ReadonlySet<number>,
  fixed: (path: string) => readonly number[] | undefined,
): (v: Var) => readonly number[] | undefined {
  const classes = new OrderClasses();
  // One number for all elements, which arrays of one shape may share without having anything else to do with each other.
  const isUniform = (v: Var): boolean => {
    const eq = definition.get(v.id);
    if (!eq || stored.has(v.id)) return false;
    return eq.primitive === "full" || (eq.primitive === "broadcast" && sizeOf((eq.inputs[0] as Var).aval.shape) === 1);
  };
  for (const eq of program.equations) {
    // An alias is a copy, made so that the two may lie differently.
    if (!isElementwise(eq) || eq.primitive === "alias") continue;
    const [out] = eq.outputs as [Var];
    if (out.aval.shape.length < 2) continue;
    for (const v of eq.inputs) if (!isUniform(v)) classes.union(v.id, out.id);
  }
  // A new state lies as the old one does.
  for (const output of program.outputs) {
    const input = program.inputs.find((i) => i.role === "state" && i.path === output.path);
    if (output.role === "state" && input) classes.union(output.value.id, input.value.id);
  }
  /** A demand on a transposed view is one on the array below. */
  const demand = (v: Var, order: readonly number[], priority: number): void => {
    const eq = definition.get(v.id);
    if (eq?.primitive === "transpose" && !stored.has(v.id)) {
      const axes = eq.params.order as readonly number[];
      demand(
        eq.inputs[0] as Var,
        order.map((axis) => axes[axis] as number),
        priority,
      );
    } else classes.demand(v.id, order, priority);
  };
  const rowMajor = (v: Var): number[] => v.aval.shape.map((_, i) => i);
  for (const input of program.inputs) {
    const order = fixed(input.path);
    if (order) classes.demand(input.value.id, order, 100);
  }
  for (const eq of program.equations) {
    const [x, y] = eq.inputs as [Var, Var];
    const [out] = eq.outputs as [Var];
    switch (eq.primitive) {
      case "conv2d":
      case "convInputGrad":
        demand(x, NHWC, 10);
        demand(y, HWIO, 10);
        demand(out, NHWC, 10);
        break;
      case "convWeightGrad":
        demand(x, NHWC, 10);
        demand(y, NHWC, 10);
        demand(out, HWIO, 10);
        break;
      case "dot":
        demand(y, rowMajor(y), 3);
        break;
      case "scan":
      case "while":
      case "cond":
        for (const v of [...eq.inputs, ...eq.outputs]) demand(v, rowMajor(v), 50);
        break;
      case "reshape":
        if (!splitsOnly(eq)) demand(x, rowMajor(x), 5);
        break;
    }
  }
  for (const eq of program.equations) {
    if (!["maxPool", "sumPool", "maxUnpool", "sumUnpool", "maxPick"].includes(eq.primitive)) continue;
    const all = [...eq.inputs, ...eq.outputs];
    const order = all.map((v) => classes.order(v.id)).find((o) => o?.some((axis, i) => axis !== i));
    if (order) for (const v of all) if (!classes.order(v.id)) classes.demand(v.id, order, 1);
  }
  // Reductions and broadcasts hand nothing on: their other side has another rank.
  return (v) => {
    const order = classes.order(v.id);
    return order && order.length === v.aval.shape.length ? order : undefined;
  };
}
