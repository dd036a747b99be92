import type { Shape } from "../core/dtype.ts";
import { array } from "../core/host-array.ts";
import { Tensor } from "../ops/tensor.ts";

/** FNV-1a, as core/prng's foldKey. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash | 0;
}

/**
 * A traced random key: a value, folded and split, never mutated. The same key gives the same numbers on every backend and
 * thread count: element i of an array depends on the key and i alone (Threefry-2x32, jax's partitionable mode).
 */
export class Key {
  /** i32[2] */
  readonly words: Tensor;

  constructor(words: Tensor) {
    this.words = words;
  }

  /** A new key from this one and a number, a name (a layer's path) or a traced i32[] (the step). */
  fold(data: number | string | Tensor): Key {
    const { words } = this;
    const mixed =
      data instanceof Tensor
        ? words.add(data.mul(-1640531527).broadcastTo([2]))
        : words.xor(
            words.constant(
              array(
                [typeof data === "string" ? hashName(data) : data | 0, typeof data === "string" ? 1 : 2],
                [2],
                "i32",
              ),
            ),
          );
    return new Key(new Key(mixed).bits([2]));
  }

  split(n: number): readonly Key[] {
    return Array.from({ length: n }, (_, i) => this.fold(i));
  }

  /** 32 random bits each, i32. */
  bits(shape: Shape): Tensor {
    return this.words.trace.bind("randomBits", { shape }, [this.words])[0] as Tensor;
  }

  /** Uniform in [0, 1), 24 bits. */
  uniform(shape: Shape): Tensor {
    return this.bits(shape)
      .shiftRight(8)
      .cast("f32")
      .mul(2 ** -24);
  }

  /** True with probability p. */
  bernoulli(p: number, shape: Shape): Tensor {
    return this.uniform(shape).less(p);
  }

  /** Standard normal: sqrt(2) erfinv(2u - 1) on u in (0, 1), with Giles' single-precision erfinv (2010). */
  normal(shape: Shape): Tensor {
    const u = this.bits(shape)
      .shiftRight(9)
      .cast("f32")
      .add(0.5)
      .mul(2 ** -23);
    const x = u.mul(2).sub(1);
    const w = x.mul(x).neg().log1p().neg();
    const poly = (t: Tensor, coefficients: readonly number[]): Tensor =>
      coefficients.slice(1).reduce<Tensor>((p, c) => p.mul(t).add(c), t.full(coefficients[0] as number, t.shape));
    const central = poly(
      w.sub(2.5),
      [
        2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164,
        0.246640727, 1.50140941,
      ],
    );
    const tail = poly(
      w.sqrt().sub(3),
      [
        -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
        1.00167406, 2.83297682,
      ],
    );
    return w.less(5).select(central, tail).mul(x).mul(Math.SQRT2);
  }
}
