import type { Layout } from "../../compile/kernel.ts";
import { type DType, type HostData, type Shape, sizeOf } from "../../core/dtype.ts";
import { MemoryError } from "../../core/errors.ts";
import { HostArray, newData } from "../../core/host-array.ts";
import { FIRST_FREE } from "./barrier.ts";
import { align } from "./memory-plan.ts";

const PAGE = 65_536;
/** wasm32 addresses 4 GiB; the last page is left out, so that no end address wraps. */
export const MAX_PAGES = 65_535;

/** `fresh`: never handed out before, so still all zero. */
export type Region = { readonly offset: number; readonly bytes: number; readonly fresh: boolean };

/** The one memory of a backend, handed out in regions. */
export class Memory {
  readonly memory: WebAssembly.Memory;
  readonly shared: boolean;
  private readonly free: { offset: number; bytes: number }[] = [];
  private end = FIRST_FREE;
  private highest = FIRST_FREE;

  constructor(shared: boolean) {
    this.shared = shared;
    this.memory = new WebAssembly.Memory({ initial: 16, maximum: MAX_PAGES, shared });
  }

  /** Bytes in use, for tests and reports. */
  get used(): number {
    return this.end - FIRST_FREE - this.free.reduce((sum, f) => sum + f.bytes, 0);
  }

  allocate(size: number, what: string): Region {
    const bytes = Math.max(align(size), 64);
    const index = this.free.findIndex((f) => f.bytes >= bytes);
    const found = this.free[index];
    if (found) {
      const region = { offset: found.offset, bytes, fresh: false };
      found.offset += bytes;
      found.bytes -= bytes;
      if (found.bytes === 0) this.free.splice(index, 1);
      return region;
    }
    const offset = this.end;
    const missing = Math.ceil((offset + bytes) / PAGE) - this.memory.buffer.byteLength / PAGE;
    if (missing > 0) {
      try {
        if (offset + bytes > MAX_PAGES * PAGE) throw new RangeError("beyond 4 GiB");
        this.memory.grow(missing);
      } catch {
        throw new MemoryError(
          `memory: ${what} needs ${megabytes(bytes)} beside the ${megabytes(offset)} in use; there is no more (4 GiB is the most a program can address).`,
        );
      }
    }
    this.end = offset + bytes;
    const fresh = offset >= this.highest;
    this.highest = Math.max(this.highest, this.end);
    return { offset, bytes, fresh };
  }

  release({ offset, bytes }: Region): void {
    if (offset + bytes === this.end) this.end = offset;
    else this.free.push({ offset, bytes });
    this.free.sort((a, b) => a.offset - b.offset);
    for (let i = this.free.length - 2; i >= 0; i--) {
      const [a, b] = [this.free[i], this.free[i + 1]] as [
        { offset: number; bytes: number },
        { offset: number; bytes: number },
      ];
      if (a.offset + a.bytes === b.offset) {
        a.bytes += b.bytes;
        this.free.splice(i + 1, 1);
      }
    }
    const last = this.free.at(-1);
    if (last && last.offset + last.bytes === this.end) {
      this.end = last.offset;
      this.free.pop();
    }
  }

  bytes(offset: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, offset, length);
  }

  view(dtype: DType, offset: number, length: number): Float32Array | Int32Array | Uint8Array {
    const { buffer } = this.memory;
    if (dtype === "f32") return new Float32Array(buffer, offset, length);
    return dtype === "i32" ? new Int32Array(buffer, offset, length) : new Uint8Array(buffer, offset, length);
  }

  writeArray(offset: number, layout: Layout, dtype: DType, shape: Shape, data: HostData): void {
    const to = this.view(dtype, offset, layout.size);
    eachRow(shape, layout, (at, i, count, stride) => {
      if (stride === 1) to.set(data.subarray(i, i + count), at);
      else for (let k = 0; k < count; k++) to[at + k * stride] = data[i + k] as number;
    });
  }

  readArray(offset: number, layout: Layout, dtype: DType, shape: Shape): HostArray {
    const from = this.view(dtype, offset, layout.size);
    const data = newData(dtype, sizeOf(shape));
    eachRow(shape, layout, (at, i, count, stride) => {
      if (stride === 1) data.set(from.subarray(at, at + count), i);
      else for (let k = 0; k < count; k++) data[i + k] = from[at + k * stride] as number;
    });
    return new HostArray(dtype, shape, data);
  }
}

/** Visits an array in row-major order, in rows of `count` elements that lie `stride` apart from `at` on. */
function eachRow(
  shape: Shape,
  { strides, offset }: Layout,
  visit: (at: number, i: number, count: number, stride: number) => void,
): void {
  if (sizeOf(shape) === 0) return;
  // Trailing axes that lie one after another are one row.
  let split = shape.length;
  let count = 1;
  let stride = 1;
  while (split > 0) {
    const size = shape[split - 1] as number;
    const own = strides[split - 1] as number;
    if (size !== 1 && count !== 1 && own !== count * stride) break;
    if (size !== 1 && count === 1) stride = own;
    count *= size;
    split--;
  }
  let i = 0;
  const walk = (axis: number, at: number): void => {
    if (axis === split) {
      visit(at, i, count, stride);
      i += count;
      return;
    }
    for (let k = 0; k < (shape[axis] as number); k++) walk(axis + 1, at + k * (strides[axis] as number));
  };
  walk(0, offset);
}

export function megabytes(bytes: number): string {
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 1024).toFixed(1)} KiB`;
}
