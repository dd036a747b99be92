import { sameShape } from "../core/dtype.ts";
import { HostArray } from "../core/host-array.ts";
import type { Equation, Program, Var } from "../ir/program.ts";
import { isPrimitive, primitiveOf } from "../ops/table.ts";
import type { CallParams } from "../trace/control.ts";

/**
 * An equal program with less work: blocks inlined, common subexpressions shared, constants folded, algebra applied, dead code
 * removed. Algebra that could change a NaN, an infinity or a rounding is left out, but for the sign of a zero and the order of
 * one sum.
 */
export function simplify(program: Program): Program {
  return new Simplifier(program).run();
}

const MAX_FOLDED = 4096;

/** Folded on the host: operations that every engine rounds alike. */
const EXACT: ReadonlySet<string> = new Set([
  "neg",
  "abs",
  "sign",
  "sqrt",
  "floor",
  "ceil",
  "round",
  "relu",
  "not",
  "cast",
  "add",
  "sub",
  "mul",
  "div",
  "max",
  "min",
  "and",
  "or",
  "xor",
  "shl",
  "shr",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
]);

class Simplifier {
  private readonly program: Program;
  private readonly out: Equation[] = [];
  /** What replaces a variable of the old program. */
  private readonly renamed = new Map<number, Var>();
  private readonly definition = new Map<number, Equation>();
  private known = new Map<string, Equation>();
  private nextId = 0;

  constructor(program: Program) {
    this.program = program;
    const visit = (p: Program): void => {
      for (const input of p.inputs) this.nextId = Math.max(this.nextId, input.value.id + 1);
      for (const eq of p.equations) {
        for (const v of eq.outputs) this.nextId = Math.max(this.nextId, v.id + 1);
        eq.programs?.forEach(visit);
      }
    };
    visit(program);
  }

  run(): Program {
    this.add(this.program.equations);
    const outputs = this.program.outputs.map((o) => ({ ...o, value: this.at(o.value) }));
    return removeDead({ inputs: this.program.inputs, equations: this.out, outputs });
  }

  private at(v: Var): Var {
    return this.renamed.get(v.id) ?? v;
  }

  private add(equations: readonly Equation[]): void {
    for (const eq of equations) {
      const inputs = eq.inputs.map((v) => this.at(v));
      if (eq.primitive === "call") this.inline(eq, inputs);
      else this.emit({ ...eq, inputs, ...(eq.programs ? { programs: eq.programs.map(simplify) } : {}) });
    }
  }

  private inline(eq: Equation, inputs: readonly Var[]): void {
    const [body] = eq.programs as [Program];
    const { known } = this;
    if ((eq.params as CallParams).again) this.known = new Map();
    // Each use of a body gets variables of its own.
    body.inputs.forEach((input, i) => {
      this.renamed.set(input.value.id, inputs[i] as Var);
    });
    for (const inner of body.equations) {
      const fresh = inner.outputs.map((v) => ({ id: this.nextId++, aval: v.aval }));
      const innerInputs = inner.inputs.map((v) => this.at(v));
      const made: Equation = { ...inner, inputs: innerInputs, outputs: fresh, phase: eq.phase };
      if (inner.primitive === "call") this.inline(made, innerInputs);
      else this.emit({ ...made, ...(inner.programs ? { programs: inner.programs.map(simplify) } : {}) });
      inner.outputs.forEach((v, i) => {
        this.renamed.set(v.id, this.at(fresh[i] as Var));
      });
    }
    eq.outputs.forEach((v, i) => {
      this.renamed.set(v.id, this.at((body.outputs[i] as Program["outputs"][number]).value));
    });
    this.known = known;
  }

  /** Adds an equation unless something equal or simpler stands for it. */
  private emit(eq: Equation): void {
    const [single] = eq.outputs as [Var];
    const simpler = eq.outputs.length === 1 ? this.rewrite(eq) : undefined;
    if (simpler && "id" in simpler) {
      this.renamed.set(single.id, simpler);
      return;
    }
    const chosen = simpler ? { ...eq, ...simpler } : eq;
    const key = keyOf(chosen);
    const equal = key === undefined ? undefined : this.known.get(key);
    if (equal) {
      eq.outputs.forEach((v, i) => {
        this.renamed.set(v.id, equal.outputs[i] as Var);
      });
      return;
    }
    if (key !== undefined) this.known.set(key, chosen);
    for (const v of chosen.outputs) this.definition.set(v.id, chosen);
    this.out.push(chosen);
  }

  private def(v: Var, primitive: string): Equation | undefined {
    const eq = this.definition.get(v.id);
    return eq?.primitive === primitive ? eq : undefined;
  }

  /** The value of a constant array with one repeated element, else undefined. */
  private constantOf(v: Var): number | undefined {
    const eq = this.definition.get(v.id);
    if (eq?.primitive === "full") return eq.params.value as number;
    if (eq?.primitive === "broadcast" || eq?.primitive === "reshape" || eq?.primitive === "transpose")
      return this.constantOf(eq.inputs[0] as Var);
    return undefined;
  }

  private rewrite(eq: Equation): Var | Pick<Equation, "primitive" | "params" | "inputs"> | undefined {
    const [out] = eq.outputs as [Var];
    const [x, y] = eq.inputs;
    const full = (value: number) => ({
      primitive: "full",
      params: { value, shape: out.aval.shape, dtype: out.aval.dtype },
      inputs: [],
    });
    switch (eq.primitive) {
      case "alias":
      case "stopGradient":
        return x;
      case "cast":
        if (x?.aval.dtype === out.aval.dtype) return x;
        break;
      case "reshape": {
        if (sameShape((x as Var).aval.shape, out.aval.shape)) return x;
        const inner = this.def(x as Var, "reshape");
        if (inner) return this.again(eq, "reshape", eq.params, inner.inputs as readonly Var[]);
        break;
      }
      case "transpose": {
        const order = eq.params.order as readonly number[];
        if (order.every((axis, i) => axis === i)) return x;
        const inner = this.def(x as Var, "transpose");
        if (inner) {
          const before = inner.params.order as readonly number[];
          return this.again(eq, "transpose", { order: order.map((axis) => before[axis] as number) }, inner.inputs);
        }
        break;
      }
      case "broadcast": {
        if (sameShape((x as Var).aval.shape, out.aval.shape)) return x;
        const inner = this.def(x as Var, "broadcast");
        if (inner) {
          const before = inner.params.axes as readonly number[];
          const axes = eq.params.axes as readonly number[];
          return this.again(
            eq,
            "broadcast",
            { shape: out.aval.shape, axes: before.map((axis) => axes[axis] as number) },
            inner.inputs,
          );
        }
        break;
      }
      case "sum": {
        const axes = eq.params.axes as readonly number[];
        const { shape } = (x as Var).aval;
        if (axes.every((axis) => shape[axis] === 1))
          return { primitive: "reshape", params: { shape: out.aval.shape }, inputs: [x as Var] };
        // Every value of a pooled cotangent lands on one position, so over whole maps it sums up the same; only the order differs.
        const unpool = this.def(x as Var, "maxUnpool");
        const pooled = unpool && this.def(unpool.inputs[1] as Var, "maxPool");
        if (unpool && pooled && axes.includes(2) && axes.includes(3))
          return { primitive: "sum", params: eq.params, inputs: [unpool.inputs[0] as Var] };
        break;
      }
      case "neg": {
        const inner = this.def(x as Var, "neg");
        if (inner) return inner.inputs[0] as Var;
        break;
      }
      case "mul":
        if (this.constantOf(y as Var) === 1) return x;
        if (this.constantOf(x as Var) === 1) return y;
        break;
      case "div":
        if (this.constantOf(y as Var) === 1) return x;
        break;
      case "sub":
        if (this.constantOf(y as Var) === 0) return x;
        break;
      case "add":
        // x + 0 differs from x for x = -0 alone.
        if (this.constantOf(y as Var) === 0) return x;
        if (this.constantOf(x as Var) === 0) return y;
        break;
      case "and":
      case "or":
        if (x === y) return x;
        break;
      case "select": {
        const [c, a, b] = eq.inputs as [Var, Var, Var];
        if (a === b) return a;
        const chosen = this.constantOf(c);
        if (chosen !== undefined) return chosen ? a : b;
        break;
      }
    }
    if (primitiveIs(eq.primitive, "elementwise") && eq.inputs.length > 0 && eq.primitive !== "select") {
      const values = EXACT.has(eq.primitive) ? eq.inputs.map((v) => this.constantOf(v)) : [undefined];
      if (values.every((v) => v !== undefined)) {
        const scalars = eq.inputs.map((v, i) => fullScalar(v, values[i] as number));
        const [folded] = primitiveOf(eq.primitive).evaluate(eq.params, ...scalars);
        return full((folded as HostArray).data[0] as number);
      }
    }
    if (eq.primitive === "broadcast" || eq.primitive === "reshape" || eq.primitive === "transpose") {
      const value = this.constantOf(x as Var);
      if (value !== undefined) return full(value);
    }
    return undefined;
  }

  /** Tries the rules once more on a rewritten equation. */
  private again(eq: Equation, primitive: string, params: Equation["params"], inputs: readonly Var[]) {
    const next = { ...eq, primitive, params, inputs };
    return this.rewrite(next) ?? { primitive, params, inputs };
  }
}

function primitiveIs(name: string, flag: "elementwise"): boolean {
  return isPrimitive(name) && primitiveOf(name)[flag] === true;
}

function fullScalar(v: Var, value: number): HostArray {
  const { dtype } = v.aval;
  const data = dtype === "f32" ? new Float32Array(1) : dtype === "i32" ? new Int32Array(1) : new Uint8Array(1);
  data[0] = value;
  return new HostArray(dtype, [], data);
}

/** Text equal for equations with equal results; undefined where they are never shared. */
function keyOf(eq: Equation): string | undefined {
  if (eq.programs) return undefined;
  const { value } = eq.params;
  if (value instanceof HostArray && value.data.length > MAX_FOLDED) return undefined;
  const params = JSON.stringify(eq.params, (_, v: unknown) =>
    v instanceof HostArray
      ? { dtype: v.dtype, shape: v.shape, data: Array.from(v.data, String) }
      : typeof v === "number" && !Number.isFinite(v)
        ? String(v)
        : Object.is(v, -0)
          ? "-0"
          : v,
  );
  return `${eq.primitive}(${eq.inputs.map((v) => v.id)})${params}`;
}

/** Without equations that nothing needs; a scan's unused stacked outputs go too. */
export function removeDead(program: Program): Program {
  const needed = new Set(program.outputs.map((o) => o.value.id));
  const kept: Equation[] = [];
  for (let i = program.equations.length - 1; i >= 0; i--) {
    const eq = program.equations[i] as Equation;
    if (!eq.outputs.some((v) => needed.has(v.id))) continue;
    const used = eq.primitive === "scan" ? pruneScan(eq, needed) : eq;
    for (const v of used.inputs) needed.add(v.id);
    kept.push(used);
  }
  return { ...program, equations: kept.reverse() };
}

/** Stacked outputs that nobody reads are marked, so that the compiler neither stores nor computes them. */
function pruneScan(eq: Equation, needed: ReadonlySet<number>): Equation {
  const [body] = eq.programs as [Program];
  const carries = eq.params.carries as number;
  const before = (eq.params.kept as readonly number[] | undefined) ?? Array.from({ length: carries }, (_, i) => i);
  const stacked = eq.outputs.map((v, i) => i < carries || needed.has(v.id));
  // Outputs of the body beyond the carries are the ys; those unread leave the body's program.
  const outputs = body.outputs.filter((_, i) => i < carries || stacked[i]);
  const ys = body.outputs.length - carries;
  return {
    ...eq,
    params: {
      ...eq.params,
      kept: eq.outputs
        .map((_, i) => i)
        .filter((i) => i >= carries + ys && needed.has((eq.outputs[i] as Var).id))
        .map((i) => before[i - carries - ys] as number),
    },
    outputs: [
      ...eq.outputs.slice(0, carries),
      ...eq.outputs.slice(carries, carries + ys).filter((_, i) => stacked[carries + i]),
      ...eq.outputs.slice(carries + ys).filter((v) => needed.has(v.id)),
    ],
    programs: [removeDead({ ...body, outputs })],
  };
}
