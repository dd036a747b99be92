import { type Shape, sizeOf } from "../../core/dtype.ts";
import { HostArray } from "../../core/host-array.ts";
import { bitsAt } from "../../core/prng.ts";

/** 32 random bits an element, from the key (i32[2]) and the element's row-major index alone. */
export function randomBitsHost(key: HostArray, shape: Shape): HostArray {
  const data = new Int32Array(sizeOf(shape));
  const words = [key.data[0] as number, key.data[1] as number] as const;
  for (let i = 0; i < data.length; i++) data[i] = bitsAt(words, i);
  return new HostArray("i32", shape, data);
}
