import { formatAval } from "./dtype.ts";
import type { HostArray } from "./host-array.ts";

/**
 * 64 bits over bytes, as 16 hexadecimal digits: equal bytes give equal digits on every machine. Tells that something
 * changed or was damaged; no protection against somebody who wants a collision.
 */
export class Fingerprint {
  private state: readonly [number, number] = [0x9e3779b9, 0];

  text(text: string): this {
    return this.bytes(new TextEncoder().encode(text));
  }

  /** Type, shape and values. f64 values count as the f32 that files hold. */
  array({ aval, dtype, data }: HostArray): this {
    this.text(formatAval(aval));
    const exact = dtype === "f32" && data instanceof Float64Array ? Float32Array.from(data) : data;
    return this.bytes(new Uint8Array(exact.buffer, exact.byteOffset, exact.byteLength));
  }

  bytes(bytes: Uint8Array): this {
    this.state = mix(this.state, bytes);
    return this;
  }

  get digits(): string {
    return this.state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }
}

/** Of named arrays, in their order. */
export function fingerprintOf(arrays: Iterable<readonly [name: string, array: HostArray]>): string {
  const whole = new Fingerprint();
  for (const [name, array] of arrays) whole.text(name).array(array);
  return whole.digits;
}

/** Two lanes of MurmurHash3's body and finalizer over little-endian 32-bit words, the last one padded with zeros. */
function mix(state: readonly [number, number], bytes: Uint8Array): readonly [number, number] {
  let [a, b] = state;
  const whole = bytes.length >> 2;
  // A copy where words would not be aligned: several times as fast as putting them together from bytes.
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, whole);
  const rest = bytes.length & 3;
  let last = 0;
  for (let i = 0; i < rest; i++) last |= (bytes[4 * whole + i] as number) << (8 * i);
  for (let i = 0; i < whole + (rest > 0 ? 1 : 0); i++) {
    const word = i < whole ? (words[i] as number) : last;
    let k = Math.imul(word, 0xcc9e2d51);
    a ^= Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    a = (Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64) | 0;
    k = Math.imul(word ^ a, 0x85ebca6b);
    b ^= Math.imul((k << 16) | (k >>> 16), 0xc2b2ae35);
    b = (Math.imul((b << 17) | (b >>> 15), 5) + 0x52dce729) | 0;
  }
  return [finish(a ^ bytes.length), finish(b ^ a)];
}

function finish(h: number): number {
  const x = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  const y = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (y ^ (y >>> 16)) | 0;
}
