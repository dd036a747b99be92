import { joinBytes } from "../../src/core/bytes.ts";

/** A stream of whole numbers that a seed decides: mulberry32. */
export function draws(seed: number): (limit: number) => number {
  let state = seed | 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

const INTERESTING = [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x2c, 0x5b, 0x7b, 0x0a];
const NUMBERS = [0, 1, -1, 0x7fffffff, 0x80000000, 0xffffffff, 2 ** 16, 2 ** 24];
const WORDS = [
  '"__proto__"',
  '"constructor"',
  '"prototype":{"polluted":1}',
  '"__proto__":{"polluted":true}',
  "1e308",
  "-0",
  "99999999999999999999",
  "null",
  "[[[[[[[[[[[[[[[[[[[[[[[[",
  '{"":{"":{"":{"":',
  "\\u0000",
  "\uFFFD",
  '""""',
].map((word) => new TextEncoder().encode(word));

/** A file with one to four things wrong; `others` are spliced in. */
export function mutate(file: Uint8Array, others: readonly Uint8Array[], draw: (limit: number) => number): Uint8Array {
  let bytes: Uint8Array<ArrayBuffer> = new Uint8Array(file);
  for (let n = 1 + draw(4); n > 0; n--) {
    const at = draw(bytes.length + 1);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    switch (draw(11)) {
      case 0:
        if (at < bytes.length) bytes[at] = (bytes[at] as number) ^ (1 << draw(8));
        break;
      case 1:
        if (at < bytes.length) bytes[at] = INTERESTING[draw(INTERESTING.length)] as number;
        break;
      case 2:
        bytes = bytes.slice(0, at);
        break;
      case 3:
        // A part twice, or a long run of one byte.
        bytes = joinBytes([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - draw(64)), at), bytes.subarray(at)]);
        break;
      case 4: {
        const other = others[draw(others.length)] as Uint8Array;
        const from = draw(other.length + 1);
        bytes = joinBytes([bytes.subarray(0, at), other.subarray(from, from + draw(200)), bytes.subarray(at)]);
        break;
      }
      case 5:
      case 6:
        // Lengths and offsets stand in the first bytes, or in a directory at the end.
        if (bytes.length >= 4) {
          const place = draw(2) === 0 ? draw(Math.min(64, bytes.length - 3)) : draw(bytes.length - 3);
          view.setUint32(place, NUMBERS[draw(NUMBERS.length)] as number, draw(2) === 0);
        }
        break;
      case 7: {
        const word = WORDS[draw(WORDS.length)] as Uint8Array;
        bytes =
          draw(2) === 0
            ? joinBytes([bytes.subarray(0, at), word, bytes.subarray(at)])
            : joinBytes([bytes.subarray(0, at), word, bytes.subarray(at + word.length)]);
        break;
      }
      case 8:
        bytes = joinBytes([bytes.subarray(0, at), bytes.subarray(at + 1 + draw(32))]);
        break;
      case 9:
        // A digit of a number in text.
        for (let i = at; i < Math.min(bytes.length, at + 64); i++)
          if ((bytes[i] as number) >= 0x30 && (bytes[i] as number) <= 0x39) {
            bytes[i] = 0x30 + draw(10);
            break;
          }
        break;
      default:
        for (let i = at; i < Math.min(bytes.length, at + 1 + draw(16)); i++) bytes[i] = draw(256);
    }
  }
  return bytes;
}
