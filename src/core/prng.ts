import { cos, log, sin } from "./math.ts";

/** A counter-based random key: two 32-bit words. A value: folded and split, never mutated. */
export type KeyWords = readonly [number, number];

const ROTATIONS = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/**
 * Threefry-2x32 with 20 rounds: two words from a key and a two-word counter.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011); the same words as jax's `threefry_2x32`.
 */
export function threefry2x32(key: KeyWords, x0: number, x1: number): [number, number] {
  const k0 = key[0] | 0;
  const k1 = key[1] | 0;
  const ks = [k0, k1, k0 ^ k1 ^ 0x1bd11bda] as const;
  let a = (x0 + k0) | 0;
  let b = (x1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    for (const r of ROTATIONS[(group & 1) as 0 | 1]) {
      a = (a + b) | 0;
      b = ((b << r) | (b >>> (32 - r))) ^ a;
    }
    a = (a + (ks[(group + 1) % 3] as number)) | 0;
    b = (b + (ks[(group + 2) % 3] as number) + group + 1) | 0;
  }
  return [a >>> 0, b >>> 0];
}

/** Bits of element `index` under a key, as in jax's partitionable mode: both words of the cipher of the 64-bit index, xor-ed. */
export function bitsAt(key: KeyWords, index: number): number {
  const [a, b] = threefry2x32(key, Math.floor(index / 2 ** 32), index >>> 0);
  return (a ^ b) >>> 0;
}

export function keyOf(seed: number): KeyWords {
  return [Math.floor(seed / 2 ** 32) >>> 0, seed >>> 0];
}

/** A new key from a key and a number or a name (a layer's path). */
export function foldKey(key: KeyWords, data: number | string): KeyWords {
  if (typeof data === "number") return threefry2x32(key, 0, data >>> 0);
  // FNV-1a, 32 bits
  let hash = 0x811c9dc5;
  for (let i = 0; i < data.length; i++) hash = Math.imul(hash ^ data.charCodeAt(i), 0x01000193);
  return threefry2x32(key, 1, hash >>> 0);
}

/** Uniform in [0, 1) with 24 bits. */
export function uniformAt(key: KeyWords, index: number): number {
  return (bitsAt(key, index) >>> 8) * 2 ** -24;
}

/** Standard normal by Box and Muller's transform of elements 2i and 2i + 1. */
export function normalAt(key: KeyWords, index: number): number {
  const u = ((bitsAt(key, 2 * index) >>> 8) + 1) * 2 ** -24;
  const angle = 2 * Math.PI * uniformAt(key, 2 * index + 1);
  return Math.sqrt(-2 * log(u)) * (index % 2 === 0 ? cos(angle) : sin(angle));
}

/** A random permutation of 0..n-1 (Fisher and Yates). Depends on the key and n alone. */
export function permutation(key: KeyWords, n: number): Int32Array {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniformAt(key, i) * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}
