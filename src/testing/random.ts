import { type Shape, sizeOf } from "../core/dtype.ts";
import { type KeyWords, keyOf, uniformAt } from "../core/prng.ts";

/** Small sizes, 1 and primes among them, and some around the width of a vector register. */
const SIZES = [1, 1, 2, 3, 4, 5, 7, 8, 11, 13, 16, 17, 33] as const;

const LARGE_SIZES = [...SIZES, 40, 64, 100, 129, 257] as const;

export type RandomOptions = {
  /** Draws shapes of up to 40,000 elements, enough to be split over threads. Default false: up to 300. */
  readonly large?: boolean;
};

/** Draws that depend on the seed alone. */
export class Random {
  readonly large: boolean;
  private readonly key: KeyWords;
  private drawn = 0;

  constructor(seed: number, options: RandomOptions = {}) {
    this.key = keyOf(seed);
    this.large = options.large ?? false;
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

  /** A shape of at most `most` elements, `scale` times as many where draws are large; small ones stay small. */
  shape(rank: number = this.integer(0, 4), most = 300, scale: number = most < 60 ? 3 : 130): Shape {
    const shape: number[] = [];
    const limit = this.large ? most * scale : most;
    const sizes: readonly number[] = this.large ? LARGE_SIZES : SIZES;
    for (let i = 0; i < rank; i++) {
      const room = Math.floor(limit / sizeOf(shape));
      shape.push(this.pick(sizes.filter((n) => n <= room)));
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
