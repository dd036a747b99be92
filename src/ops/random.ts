import { type Aval, formatAval, type Shape, stridesOf } from "../core/dtype.ts";
import { ShapeError } from "../core/errors.ts";
import type { HostArray } from "../core/host-array.ts";
import { addIndex, constantIndex, type Index, type Loops, type Scalar, scaleIndex } from "../ir/loops.ts";
import { randomBitsHost } from "./host/random.ts";
import type { Primitive, Source } from "./primitive.ts";

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** `threefry2x32` of core/prng.ts as an expression. */
function threefry(l: Loops, k0: Scalar, k1: Scalar, x0: Scalar, x1: Scalar): readonly [Scalar, Scalar] {
  const word = (value: number): Scalar => l.constant(value, "i32");
  const add = (a: Scalar, b: Scalar): Scalar => l.binary("add", a, b);
  const keys = [k0, k1, l.binary("xor", l.binary("xor", k0, k1), word(0x1bd11bda))] as const;
  let a = add(x0, k0);
  let b = add(x1, k1);
  for (let group = 0; group < 5; group++) {
    for (const r of ROTATIONS[(group & 1) as 0 | 1]) {
      a = add(a, b);
      b = l.binary("xor", l.binary("or", l.binary("shl", b, word(r)), l.binary("shr", b, word(32 - r))), a);
    }
    a = add(a, keys[(group + 1) % 3] as Scalar);
    b = add(b, add(keys[(group + 2) % 3] as Scalar, word(group + 1)));
  }
  return [a, b];
}

/** 32 random bits for each element, from a key i32[2]; element i depends on the key and its row-major position alone. */
const randomBits: Primitive<{ readonly shape: Shape }> = {
  name: "randomBits",
  shape: ({ shape }, key) => {
    const { dtype, shape: words } = key as Aval;
    if (dtype !== "i32" || words.length !== 1 || words[0] !== 2)
      throw new ShapeError(`randomBits: got a key ${formatAval(key as Aval)}; expected i32[2].`);
    return [{ dtype: "i32", shape }];
  },
  vjp: "none",
  lower: (l, { shape }, [key], index) => {
    const strides = stridesOf(shape);
    const position = index.reduce<Index>(
      (sum, i, axis) => addIndex(sum, scaleIndex(i, strides[axis] as number)),
      constantIndex(0),
    );
    const word = (i: number): Scalar => (key as Source).at([constantIndex(i)]);
    const [a, b] = threefry(l, word(0), word(1), l.constant(0, "i32"), l.index(position));
    return l.binary("xor", a, b);
  },
  evaluate: ({ shape }, key) => [randomBitsHost(key as HostArray, shape)],
};

export const randomPrimitives: readonly Primitive<never>[] = [randomBits] as readonly Primitive<never>[];
