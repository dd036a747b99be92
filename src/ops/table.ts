import { contractPrimitives } from "./contract.ts";
import { elementwisePrimitives } from "./elementwise.ts";
import { indexPrimitives } from "./indexing.ts";
import { movePrimitives } from "./move.ts";
import { poolPrimitives } from "./pool.ts";
import type { Primitive } from "./primitive.ts";
import { randomPrimitives } from "./random.ts";
import { reducePrimitives } from "./reduce.ts";

/** Every primitive but the control flow of trace/control.ts (`scan`, `while`, `cond`, `call`), whose meaning is their nested programs. */
export const primitiveNames = [
  "neg",
  "abs",
  "sign",
  "exp",
  "expm1",
  "log",
  "log1p",
  "sqrt",
  "sin",
  "cos",
  "tanh",
  "sigmoid",
  "erf",
  "floor",
  "ceil",
  "round",
  "relu",
  "stopGradient",
  "alias",
  "not",
  "add",
  "sub",
  "mul",
  "div",
  "rem",
  "pow",
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
  "select",
  "cast",
  "full",
  "array",
  "iota",
  "reshape",
  "transpose",
  "broadcast",
  "slice",
  "unslice",
  "pad",
  "flip",
  "concatenate",
  "sum",
  "reduceMax",
  "reduceMin",
  "argmax",
  "dot",
  "conv2d",
  "convInputGrad",
  "convWeightGrad",
  "maxPool",
  "maxUnpool",
  "maxPick",
  "sumPool",
  "sumUnpool",
  "gather",
  "scatterAdd",
  "randomBits",
] as const;

export type PrimitiveName = (typeof primitiveNames)[number];

const all = [
  ...elementwisePrimitives,
  ...movePrimitives,
  ...reducePrimitives,
  ...contractPrimitives,
  ...poolPrimitives,
  ...indexPrimitives,
  ...randomPrimitives,
] as readonly Primitive[];

const byName: ReadonlyMap<string, Primitive> = new Map(all.map((primitive) => [primitive.name, primitive]));

export function isPrimitive(name: string): name is PrimitiveName {
  return byName.has(name);
}

export function primitiveOf(name: string): Primitive {
  const primitive = byName.get(name);
  if (!primitive) throw new RangeError(`there is no primitive "${name}"`);
  return primitive;
}
