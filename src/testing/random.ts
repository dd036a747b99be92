import { type Shape, sizeOf } from "../core/dtype.ts";
import { type KeyWords, keyOf, uniformAt } from "../core/prng.ts";

/** Small sizes, 1 and primes among them, and some around the width of a vector register. */
const SIZES = [1, 1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 33] as const;

/** Draws that depend on the seed alone. */
export class Random {
  private readonly key: KeyWords;
  private drawn = 0;

  constructor(seed: number) {
    this.key = keyOf(seed);
  }

  /** In [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (high - low) * uniformAt(this.key, this.drawn++);
  }

  /** A whole number in [low, high], both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.uniform() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)] as T;
  }

  shuffle<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [out[i], out[j]] = [out[j] as T, out[i] as T];
    }
    return out;
  }

  /** A shape of at most `most` elements. */
  shape(rank: number = this.integer(0, 4), most = 300): Shape {
    const shape: number[] = [];
    for (let i = 0; i < rank; i++) {
      const room = Math.floor(most / sizeOf(shape));
      shape.push(this.pick(SIZES.filter((n) => n <= room)));
    }
    return this.shuffle(shape);
  }

  /** A sorted choice of at least one of the axes of a rank. */
  axes(rank: number): number[] {
    const all = Array.from({ length: rank }, (_, i) => i);
    const some = all.filter(() => this.chance(0.5));
    return some.length > 0 ? some : [this.pick(all)];
  }
}
