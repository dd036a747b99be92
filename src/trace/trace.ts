import type { Aval } from "../core/dtype.ts";
import { ShapeError, TraceError } from "../core/errors.ts";
import type { Equation, Input, InputRole, Output, Phase, Program, Var } from "../ir/program.ts";
import { primitiveOf } from "../ops/table.ts";
import { Tensor, type Trace } from "../ops/tensor.ts";

/** A stretch of equations whose derivative the user gave. */
export type CustomRange = {
  readonly start: number;
  readonly end: number;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** Called when at least one output has a cotangent. */
  readonly backward: (
    gs: readonly (Tensor | null)[],
    outputs: readonly Tensor[],
    inputs: readonly Tensor[],
  ) => readonly (Tensor | null | undefined)[];
};

/** Cotangents of an equation's inputs, from those of its outputs. */
export type EquationRule = (
  tracer: Tracer,
  gs: readonly (Tensor | null)[],
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
) => readonly (Tensor | null | undefined)[];

/** Shared by a tracer and those nested in it. Programs are data, so what is a function about them stands here. */
type Root = {
  nextId: number;
  active: Tracer;
  phase: Phase;
  scope: string;
  /** Derivatives of equations that are not primitives: control flow. */
  readonly rules: WeakMap<Equation, EquationRule>;
  /** The custom ranges of a list of equations. */
  readonly ranges: WeakMap<readonly Equation[], CustomRange[]>;
};

/** Records the equations of one program while the user's function runs. */
export class Tracer implements Trace {
  readonly equations: Equation[] = [];
  readonly inputs: Input[] = [];
  readonly inspected: Output[] = [];
  readonly parent: Tracer | undefined;
  readonly root: Root;
  /** Values of enclosing traces used in here: they become the nested program's last inputs. */
  readonly captured: Map<number, { readonly outer: Tensor; readonly inner: Tensor }> = new Map();
  closed = false;

  constructor(parent?: Tracer) {
    this.parent = parent;
    this.root = parent
      ? parent.root
      : { nextId: 0, active: this, phase: "forward", scope: "", rules: new WeakMap(), ranges: new WeakMap() };
    this.root.ranges.set(this.equations, []);
  }

  get customRanges(): CustomRange[] {
    return this.root.ranges.get(this.equations) as CustomRange[];
  }

  variable(aval: Aval): Var {
    return { id: this.root.nextId++, aval };
  }

  input(path: string, aval: Aval, role: InputRole): Tensor {
    const value = this.variable(aval);
    this.inputs.push({ path, value, role });
    return new Tensor(this, value);
  }

  private encloses(other: Tracer): boolean {
    for (let t: Tracer | undefined = other; t; t = t.parent) if (t === this) return true;
    return false;
  }

  /** The value in this trace: itself, or captured from an enclosing one. */
  adopt(tensor: Tensor): Tensor {
    const owner = tensor.trace as Tracer;
    if (owner === this) {
      if (this.closed) throw leaked(tensor);
      return tensor;
    }
    if (!owner.encloses(this)) throw leaked(tensor);
    const known = this.captured.get(tensor.variable.id);
    if (known) return known.inner;
    const outer = (this.parent as Tracer).adopt(tensor);
    const inner = new Tensor(this, this.variable(tensor.aval));
    this.captured.set(tensor.variable.id, { outer, inner });
    return inner;
  }

  bind(primitive: string, params: Readonly<Record<string, unknown>>, inputs: readonly Tensor[]): readonly Tensor[] {
    for (const input of inputs) {
      const owner = input.trace as Tracer;
      if (owner !== this && this.encloses(owner)) return owner.bind(primitive, params, inputs);
    }
    const own = inputs.map((input) => this.adopt(input));
    let avals: readonly Aval[];
    try {
      avals = primitiveOf(primitive).shape(params, ...own.map((t) => t.aval));
    } catch (error) {
      if (error instanceof ShapeError && this.root.scope !== "" && error.where === undefined) {
        const scoped = new ShapeError(`${this.root.scope}: ${error.message}`, this.root.scope);
        if (error.stack !== undefined) scoped.stack = error.stack.replace(error.message, scoped.message);
        throw scoped;
      }
      throw error;
    }
    return this.emit(primitive, params, own, avals);
  }

  emit(
    primitive: string,
    params: Readonly<Record<string, unknown>>,
    inputs: readonly Tensor[],
    avals: readonly Aval[],
    nested?: { readonly programs: readonly Program[]; readonly rule: EquationRule | undefined },
  ): Tensor[] {
    const own = inputs.map((input) => this.adopt(input));
    if (this.closed)
      throw new TraceError(
        `${primitive}: this trace has ended; a traced value was kept and used after its function returned.`,
      );
    const outputs = avals.map((a) => this.variable(a));
    const equation: Equation = {
      primitive,
      params,
      inputs: own.map((t) => t.variable),
      outputs,
      ...(nested ? { programs: nested.programs } : {}),
      phase: this.root.phase,
      site: this.root.scope,
    };
    this.equations.push(equation);
    if (nested?.rule) this.root.rules.set(equation, nested.rule);
    return outputs.map((v) => new Tensor(this, v));
  }

  inspect(label: string, value: Tensor): void {
    if (this.parent)
      throw new TraceError(
        `print("${label}"): a value inside scan, cond, while or call cannot be printed; return it from the body and print it outside.`,
      );
    this.inspected.push({ path: `print.${label}`, value: this.adopt(value).variable, role: "result" });
  }

  /** Runs `f` with this as the innermost open trace. */
  run<T>(f: () => T): T {
    const outer = this.root.active;
    this.root.active = this;
    try {
      return f();
    } finally {
      this.root.active = outer;
      this.closed = true;
    }
  }
}

function leaked(tensor: Tensor): TraceError {
  return new TraceError(
    `A traced value ${String(tensor)} was used outside the function call that made it. Return it from the traced function; state that outlives a step belongs in the step's state.`,
  );
}

export function tracerOf(tensor: Tensor): Tracer {
  return (tensor.trace as Tracer).root.active;
}

/** Counts the equations made by `f` towards a part of the step. */
export function inPhase<T>(anyTensor: Tensor, phase: Phase, f: () => T): T {
  const { root } = anyTensor.trace as Tracer;
  const outer = root.phase;
  root.phase = phase;
  try {
    return f();
  } finally {
    root.phase = outer;
  }
}

/** Counts all that follows towards a part of the step, until another begins. */
export function beginPhase(anyTensor: Tensor, phase: Phase): void {
  (anyTensor.trace as Tracer).root.phase = phase;
}

/** Names the equations made by `f`: shape errors begin with the scope, e.g. a layer's path. */
export function inScope<T>(anyTensor: Tensor, scope: string, f: () => T): T {
  const { root } = anyTensor.trace as Tracer;
  const outer = root.scope;
  root.scope = scope;
  try {
    return f();
  } finally {
    root.scope = outer;
  }
}

export type InputSpec = { readonly path: string; readonly aval: Aval; readonly role: InputRole };
export type OutputSpec = { readonly path: string; readonly value: Tensor; readonly role: Output["role"] };

/** Runs `f` once on traced inputs and returns the program it recorded. `f` may add inputs to the tracer. */
export function traceProgram(
  inputs: readonly InputSpec[],
  f: (tensors: readonly Tensor[], tracer: Tracer) => readonly OutputSpec[],
): Program {
  const tracer = new Tracer();
  return tracer.run(() => {
    const tensors = inputs.map(({ path, aval, role }) => tracer.input(path, aval, role));
    const outputs = f(tensors, tracer).map(
      ({ path, value, role }): Output => ({ path, value: tracer.adopt(value).variable, role }),
    );
    return { inputs: tracer.inputs, equations: tracer.equations, outputs: [...outputs, ...tracer.inspected] };
  });
}

/** A nested program of the innermost trace, with the outer values it uses. Its inputs are the arguments, then the captured values. */
export function traceNested(
  outer: Tracer,
  avals: readonly Aval[],
  f: (tensors: readonly Tensor[]) => readonly Tensor[],
): { readonly program: Program; readonly captured: readonly Tensor[] } {
  const tracer = new Tracer(outer);
  return tracer.run(() => {
    const tensors = avals.map((aval, i) => tracer.input(`${i}`, aval, "argument"));
    const results = f(tensors).map((t) => tracer.adopt(t));
    const captured = [...tracer.captured.values()];
    const inputs: Input[] = [
      ...tracer.inputs,
      ...captured.map(({ inner }, i): Input => ({ path: `captured.${i}`, value: inner.variable, role: "argument" })),
    ];
    const outputs = results.map((t, i): Output => ({ path: `${i}`, value: t.variable, role: "result" }));
    return { program: { inputs, equations: tracer.equations, outputs }, captured: captured.map((c) => c.outer) };
  });
}

/** Records a program's equations again in a trace, on other inputs. */
export function replay(tracer: Tracer, program: Program, inputs: readonly Tensor[]): Tensor[] {
  const values = new Map<number, Tensor>();
  program.inputs.forEach((input, i) => {
    values.set(input.value.id, inputs[i] as Tensor);
  });
  const at = (v: Var): Tensor => values.get(v.id) as Tensor;
  const offset = tracer.equations.length;
  const { scope } = tracer.root;
  for (const eq of program.equations) {
    tracer.root.scope = eq.site || scope;
    const nested = eq.programs && { programs: eq.programs, rule: tracer.root.rules.get(eq) };
    const out = tracer.emit(
      eq.primitive,
      eq.params,
      eq.inputs.map(at),
      eq.outputs.map((v) => v.aval),
      nested,
    );
    eq.outputs.forEach((v, i) => {
      values.set(v.id, out[i] as Tensor);
    });
  }
  tracer.root.scope = scope;
  for (const range of tracer.root.ranges.get(program.equations) ?? [])
    tracer.customRanges.push({
      ...range,
      start: range.start + offset,
      end: range.end + offset,
      inputs: range.inputs.map((t) => at(t.variable)),
      outputs: range.outputs.map((t) => at(t.variable)),
    });
  return program.outputs.map((o) => at(o.value));
}
