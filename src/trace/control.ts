import { type Aval, formatAval, sameShape } from "../core/dtype.ts";
import { ShapeError, TraceError } from "../core/errors.ts";
import { leavesOf, type Tree, unflatten } from "../core/tree.ts";
import type { Program } from "../ir/program.ts";
import type { Tensor } from "../ops/tensor.ts";
import { backward } from "./backward.ts";
import { type EquationRule, replay, type Tracer, traceNested, tracerOf } from "./trace.ts";

type TensorTree = Tree<Tensor>;

/**
 * Control flow is an equation with nested programs. Inputs and outputs, in order:
 *
 * | primitive | inputs | programs | outputs |
 * |---|---|---|---|
 * | scan {length, carries, xs, reverse} | carries, xs (each [length, ...]), captured | body(carries, one element of each x, captured) -> carries, ys | final carries, stacked ys, the carries before each iteration stacked |
 * | while {carries, conditionCaptured} | carries, the condition's captured, the body's captured | condition(carries, captured) -> bool[], body(carries, captured) -> carries | final carries |
 * | cond {thenInputs} | bool[], then's inputs, else's inputs | then(inputs), else(inputs) | results |
 * | call {name, again?} | inputs | body(inputs) | results; `again`: computed here even where an equal value is known |
 */
export type ScanParams = {
  readonly length: number;
  readonly carries: number;
  readonly xs: number;
  readonly reverse: boolean;
};
export type WhileParams = { readonly carries: number; readonly conditionCaptured: number };
export type CondParams = { readonly thenInputs: number };

const flat = (tree: TensorTree): Tensor[] => leavesOf<Tensor>(tree).map(([, leaf]) => leaf);
const outputsOf = (program: Program): Aval[] => program.outputs.map((o) => o.value.aval);

function checkCarry(op: string, before: readonly Aval[], after: readonly Aval[]): void {
  before.forEach((a, i) => {
    const b = after[i];
    if (!b || a.dtype !== b.dtype || !sameShape(a.shape, b.shape))
      throw new ShapeError(
        `${op}: carry ${i} enters as ${formatAval(a)} and leaves as ${b ? formatAval(b) : "nothing"}; expected the same type.`,
      );
  });
  if (after.length !== before.length)
    throw new ShapeError(`${op}: got ${after.length} carried values from the body; expected ${before.length}.`);
}

/**
 * Runs `body` over the leading axis of `xs`, carrying a state: (carry, x_t) -> [carry, y_t]. Differentiable: the carries are
 * kept, the body is computed again in the backward pass.
 */
export function scan<C extends TensorTree, X extends TensorTree, Y extends TensorTree>(
  body: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: X,
  options: { readonly length?: number; readonly reverse?: boolean } = {},
): readonly [C, Y] {
  const carries = flat(init);
  const inputs = flat(xs);
  const first = carries[0] ?? inputs[0];
  const length = options.length ?? inputs[0]?.shape[0];
  if (!first || length === undefined)
    throw new TraceError("scan: got no values to scan; expected xs with a leading axis, or options.length.");
  for (const x of inputs)
    if (x.shape[0] !== length)
      throw new ShapeError(`scan: got ${formatAval(x.aval)}; expected a leading axis of ${length}.`);
  const tracer = tracerOf(first);
  let form: Y | undefined;
  const avals = [
    ...carries.map((t) => t.aval),
    ...inputs.map((t): Aval => ({ dtype: t.dtype, shape: t.shape.slice(1) })),
  ];
  const { program, captured } = traceNested(tracer, avals, (args) => {
    const [carry, y] = body(
      unflatten(init as TensorTree, args.slice(0, carries.length)) as C,
      unflatten(xs as TensorTree, args.slice(carries.length)) as X,
    );
    form = y;
    return [...flat(carry), ...flat(y)];
  });
  checkCarry("scan", avals.slice(0, carries.length), outputsOf(program).slice(0, flatCount(program, form)));
  const params: ScanParams = { length, carries: carries.length, xs: inputs.length, reverse: options.reverse ?? false };
  const out = emitScan(tracer, params, program, [...carries, ...inputs, ...captured]);
  const ys = out.slice(carries.length, program.outputs.length);
  return [unflatten(init as TensorTree, out.slice(0, carries.length)) as C, unflatten(form as TensorTree, ys) as Y];
}

const flatCount = (program: Program, ys: TensorTree | undefined): number =>
  program.outputs.length - (ys === undefined ? 0 : flat(ys).length);

function emitScan(tracer: Tracer, params: ScanParams, body: Program, inputs: readonly Tensor[]): Tensor[] {
  const stacked = (a: Aval): Aval => ({ dtype: a.dtype, shape: [params.length, ...a.shape] });
  const results = outputsOf(body);
  const carries = results.slice(0, params.carries);
  return tracer.emit(
    "scan",
    params,
    inputs,
    [...carries, ...results.slice(params.carries).map(stacked), ...carries.map(stacked)],
    { programs: [body], rule: scanVjp(params, body) },
  );
}

/** Repeats `body` while `condition` holds. Not differentiable: use `scan` with a fixed length. */
export function whileLoop<C extends TensorTree>(condition: (carry: C) => Tensor, body: (carry: C) => C, init: C): C {
  const carries = flat(init);
  const tracer = tracerOf(carries[0] as Tensor);
  const avals = carries.map((t) => t.aval);
  const rebuild = (args: readonly Tensor[]): C => unflatten(init as TensorTree, args) as C;
  const test = traceNested(tracer, avals, (args) => [condition(rebuild(args))]);
  const result = outputsOf(test.program)[0] as Aval;
  if (result.dtype !== "bool" || result.shape.length !== 0)
    throw new ShapeError(`while: the condition gave ${formatAval(result)}; expected bool[].`);
  const step = traceNested(tracer, avals, (args) => flat(body(rebuild(args))));
  checkCarry("while", avals, outputsOf(step.program));
  const params: WhileParams = { carries: carries.length, conditionCaptured: test.captured.length };
  return rebuild(
    tracer.emit("while", params, [...carries, ...test.captured, ...step.captured], avals, {
      programs: [test.program, step.program],
      rule: undefined,
    }),
  );
}

/** `then(operands)` where the bool[] condition holds, else `otherwise(operands)`; only one of them is computed. */
export function cond<O extends TensorTree, R extends TensorTree>(
  condition: Tensor,
  then: (operands: O) => R,
  otherwise: (operands: O) => R,
  operands: O,
): R {
  if (condition.dtype !== "bool" || condition.rank !== 0)
    throw new ShapeError(
      `cond: got ${formatAval(condition.aval)}; expected bool[]. Use select for elementwise choice.`,
    );
  const inputs = flat(operands);
  const tracer = tracerOf(condition);
  let form: R | undefined;
  const branch = (f: (operands: O) => R) =>
    traceNested(
      tracer,
      inputs.map((t) => t.aval),
      (args) => {
        form = f(unflatten(operands as TensorTree, args) as O);
        return flat(form);
      },
    );
  const yes = branch(then);
  const no = branch(otherwise);
  checkCarry("cond (then against else)", outputsOf(yes.program), outputsOf(no.program));
  const params: CondParams = { thenInputs: inputs.length + yes.captured.length };
  const out = emitCond(tracer, params, yes.program, no.program, [
    condition,
    ...inputs,
    ...yes.captured,
    ...inputs,
    ...no.captured,
  ]);
  return unflatten(form as unknown as TensorTree, out) as R;
}

/** A named block as one equation. Its derivative computes the block again instead of keeping what is inside (rematerialisation). */
export function call<O extends TensorTree, R extends TensorTree>(name: string, f: (operands: O) => R, operands: O): R {
  const inputs = flat(operands);
  const tracer = tracerOf(inputs[0] as Tensor);
  let form: R | undefined;
  const { program, captured } = traceNested(
    tracer,
    inputs.map((t) => t.aval),
    (args) => {
      form = f(unflatten(operands as TensorTree, args) as O);
      return flat(form);
    },
  );
  return unflatten(form as unknown as TensorTree, emitCall(tracer, { name }, program, [...inputs, ...captured])) as R;
}

const isFloat = (t: Tensor): boolean => t.dtype === "f32";

/** Cotangents of a nested program's float inputs (in order), replayed on `inputs`, for cotangents of its float outputs. */
function nestedBackward(program: Program, inputs: readonly Tensor[], gs: readonly Tensor[]): Tensor[] {
  const tracer = tracerOf(inputs[0] as Tensor);
  const start = tracer.equations.length;
  const renamed = inputs.map((t) => tracer.bind("alias", {}, [t])[0] as Tensor);
  const outputs = replay(tracer, program, renamed).filter(isFloat);
  const wrt = renamed.filter(isFloat);
  return backward(tracer, start, wrt, outputs, gs).map((g, i) => g ?? (wrt[i] as Tensor).zerosLike());
}

/** Puts cotangents of the float inputs back among all inputs. */
function spread(inputs: readonly Tensor[], floats: readonly Tensor[]): (Tensor | null)[] {
  let next = 0;
  return inputs.map((t) => (isFloat(t) ? (floats[next++] as Tensor) : null));
}

const fill = (gs: readonly (Tensor | null)[], outputs: readonly Tensor[]): Tensor[] =>
  outputs.map((o, i) => gs[i] ?? o.zerosLike());

export type CallParams = { readonly name: string; readonly again?: true };

function emitCall(tracer: Tracer, params: CallParams, program: Program, inputs: readonly Tensor[]): Tensor[] {
  const rule: EquationRule = (at, gs, own, outputs) => {
    const floatGs = fill(gs, outputs).filter(isFloat);
    const avals = [...own, ...floatGs].map((t) => t.aval);
    const nested = traceNested(at, avals, (args) =>
      nestedBackward(program, args.slice(0, own.length), args.slice(own.length)),
    );
    const again: CallParams = { name: `${params.name}.backward`, again: true };
    return spread(own, emitCall(at, again, nested.program, [...own, ...floatGs, ...nested.captured]));
  };
  return tracer.emit("call", params, inputs, outputsOf(program), { programs: [program], rule });
}

function emitCond(tracer: Tracer, params: CondParams, yes: Program, no: Program, inputs: readonly Tensor[]): Tensor[] {
  return tracer.emit("cond", params, inputs, outputsOf(yes), { programs: [yes, no], rule: condVjp(params, yes, no) });
}

function condVjp({ thenInputs }: CondParams, yes: Program, no: Program): EquationRule {
  return (tracer, gs, inputs, outputs) => {
    const [condition, ...rest] = inputs as [Tensor, ...Tensor[]];
    const own = [rest.slice(0, thenInputs), rest.slice(thenInputs)] as const;
    const floatGs = fill(gs, outputs).filter(isFloat);
    const branch = (which: 0 | 1, program: Program) =>
      traceNested(
        tracer,
        [...own[which], ...floatGs].map((t) => t.aval),
        (args) => {
          const count = own[which].length;
          const found = count === 0 ? [] : nestedBackward(program, args.slice(0, count), args.slice(count));
          const none = own[which === 0 ? 1 : 0].filter(isFloat).map((t) => (args[0] as Tensor).full(0, t.shape, "f32"));
          return which === 0 ? [...found, ...none] : [...none, ...found];
        },
      );
    const a = branch(0, yes);
    const b = branch(1, no);
    const thenArgs = [...own[0], ...floatGs, ...a.captured];
    const out = emitCond(tracer, { thenInputs: thenArgs.length }, a.program, b.program, [
      condition,
      ...thenArgs,
      ...own[1],
      ...floatGs,
      ...b.captured,
    ]);
    return [null, ...spread(rest, out)];
  };
}

/**
 * The backward scan runs the other way: its carry is (cotangents of the float carries, sums of the captured values' cotangents),
 * its xs are the kept carries, the forward xs and the ys' cotangents.
 */
function scanVjp(params: ScanParams, body: Program): EquationRule {
  return (tracer, gs, inputs, outputs) => {
    const filled = fill(gs, outputs);
    const ys = body.outputs.length - params.carries;
    const carryGs = filled.slice(0, params.carries).filter(isFloat);
    const yGs = filled.slice(params.carries, params.carries + ys).filter(isFloat);
    const keptGs = filled.slice(params.carries + ys).filter(isFloat);
    const kept = outputs.slice(params.carries + ys);
    const xs = inputs.slice(params.carries, params.carries + params.xs);
    const captured = inputs.slice(params.carries + params.xs);
    const sums = captured.filter(isFloat).map((t) => t.zerosLike());

    const carry = [...carryGs, ...sums];
    const stacked = [...kept, ...xs, ...yGs, ...keptGs];
    const element = (t: Tensor): Aval => ({ dtype: t.dtype, shape: t.shape.slice(1) });
    const avals = [...carry.map((t) => t.aval), ...stacked.map(element), ...captured.map((t) => t.aval)];
    const nested = traceNested(tracer, avals, (args) => {
      let next = 0;
      const take = (n: number): Tensor[] => {
        next += n;
        return args.slice(next - n, next);
      };
      const gCarry = take(carryGs.length);
      const gSums = take(sums.length);
      const bodyInputs = take(params.carries + params.xs);
      const gY = take(yGs.length);
      const gKept = take(keptGs.length);
      const constants = take(captured.length);
      const found = nestedBackward(body, [...bodyInputs, ...constants], [...gCarry, ...gY]);
      const floatXs = xs.filter(isFloat).length;
      const toCarry = found.slice(0, carryGs.length).map((g, i) => g.add(gKept[i] as Tensor));
      const toXs = found.slice(carryGs.length, carryGs.length + floatXs);
      const toSums = found.slice(carryGs.length + floatXs).map((g, i) => g.add(gSums[i] as Tensor));
      return [...toCarry, ...toSums, ...toXs];
    });
    const out = emitScan(
      tracer,
      { length: params.length, carries: carry.length, xs: stacked.length, reverse: !params.reverse },
      nested.program,
      [...carry, ...stacked, ...captured, ...nested.captured],
    );
    const floatXs = xs.filter(isFloat).length;
    const gInit = out.slice(0, carryGs.length);
    const gCaptured = out.slice(carryGs.length, carry.length);
    const gXs = out.slice(carry.length, carry.length + floatXs);
    return spread(inputs, [...gInit, ...gXs, ...gCaptured]);
  };
}
