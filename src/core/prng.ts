import { cos, log, sin } from "./math.ts";

/** A counter-based random key: two 32-bit words. A value: folded and split, never mutated. */
export type KeyWords = readonly [number, number];

/** The words of the latest cipher: an array for each pair would take as long as the cipher. */
let first = 0;
let second = 0;

/** Five groups of four rounds, each group with rotations of its own and followed by words of the key. */
function cipher(k0: number, k1: number, x0: number, x1: number): void {
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  let a = (x0 + k0) | 0;
  let b = (x1 + k1) | 0;
  // Written out: twice as fast as loops over the rotations.
  a = (a + b) | 0;
  b = ((b << 13) | (b >>> 19)) ^ a;
  a = (a + b) | 0;
  b = ((b << 15) | (b >>> 17)) ^ a;
  a = (a + b) | 0;
  b = ((b << 26) | (b >>> 6)) ^ a;
  a = (a + b) | 0;
  b = ((b << 6) | (b >>> 26)) ^ a;
  a = (a + k1) | 0;
  b = (b + k2 + 1) | 0;
  a = (a + b) | 0;
  b = ((b << 17) | (b >>> 15)) ^ a;
  a = (a + b) | 0;
  b = ((b << 29) | (b >>> 3)) ^ a;
  a = (a + b) | 0;
  b = ((b << 16) | (b >>> 16)) ^ a;
  a = (a + b) | 0;
  b = ((b << 24) | (b >>> 8)) ^ a;
  a = (a + k2) | 0;
  b = (b + k0 + 2) | 0;
  a = (a + b) | 0;
  b = ((b << 13) | (b >>> 19)) ^ a;
  a = (a + b) | 0;
  b = ((b << 15) | (b >>> 17)) ^ a;
  a = (a + b) | 0;
  b = ((b << 26) | (b >>> 6)) ^ a;
  a = (a + b) | 0;
  b = ((b << 6) | (b >>> 26)) ^ a;
  a = (a + k0) | 0;
  b = (b + k1 + 3) | 0;
  a = (a + b) | 0;
  b = ((b << 17) | (b >>> 15)) ^ a;
  a = (a + b) | 0;
  b = ((b << 29) | (b >>> 3)) ^ a;
  a = (a + b) | 0;
  b = ((b << 16) | (b >>> 16)) ^ a;
  a = (a + b) | 0;
  b = ((b << 24) | (b >>> 8)) ^ a;
  a = (a + k1) | 0;
  b = (b + k2 + 4) | 0;
  a = (a + b) | 0;
  b = ((b << 13) | (b >>> 19)) ^ a;
  a = (a + b) | 0;
  b = ((b << 15) | (b >>> 17)) ^ a;
  a = (a + b) | 0;
  b = ((b << 26) | (b >>> 6)) ^ a;
  a = (a + b) | 0;
  b = ((b << 6) | (b >>> 26)) ^ a;
  a = (a + k2) | 0;
  b = (b + k0 + 5) | 0;
  first = a;
  second = b;
}

/**
 * Threefry-2x32 with 20 rounds: two words from a key and a two-word counter.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011); the same words as jax's `threefry_2x32`.
 */
export function threefry2x32(key: KeyWords, x0: number, x1: number): [number, number] {
  cipher(key[0] | 0, key[1] | 0, x0 | 0, x1 | 0);
  return [first >>> 0, second >>> 0];
}

/** Bits of element `index` under a key, as in jax's partitionable mode: both words of the cipher of the 64-bit index, xor-ed. */
export function bitsAt(key: KeyWords, index: number): number {
  cipher(key[0] | 0, key[1] | 0, Math.floor(index / 2 ** 32) | 0, index | 0);
  return (first ^ second) >>> 0;
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
