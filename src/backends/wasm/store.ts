import type { Store } from "../../compile/backend.ts";
import type { Buffer } from "../../compile/kernel.ts";
import { layoutOf } from "../../compile/layout.ts";
import { type Aval, formatAval, sameShape } from "../../core/dtype.ts";
import { ShapeError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Memory, Region } from "./memory.ts";
import { bytesOfBuffer } from "./memory-plan.ts";

type Entry = {
  readonly aval: Aval;
  pending: HostArray | null;
  placed: { readonly buffer: Buffer; readonly region: Region } | null;
  order: readonly number[] | undefined;
};

/** A store holds values, not the arrays that brought them. */
function copyOf({ dtype, shape, data }: HostArray): HostArray {
  return new HostArray(dtype, shape, data.slice());
}

/** Regions come back when the store that owns them is collected. */
const storeRegions = new FinalizationRegistry<{ readonly memory: Memory; readonly regions: Region[] }>(
  ({ memory, regions }) => {
    for (const region of regions) memory.release(region);
  },
);

/** State and data by path, in a backend's memory once a program has said in which order of axes. */
export class WasmStore implements Store {
  readonly memory: Memory;
  readonly entries: Map<string, Entry> = new Map();
  private readonly regions: Region[] = [];

  constructor(memory: Memory) {
    this.memory = memory;
    storeRegions.register(this, { memory, regions: this.regions });
  }

  get paths(): readonly string[] {
    return [...this.entries.keys()];
  }
  has(path: string): boolean {
    return this.entries.has(path);
  }
  avalOf(path: string): Aval {
    return this.entry(path).aval;
  }
  private entry(path: string): Entry {
    const entry = this.entries.get(path);
    if (!entry) throw new ShapeError(`store: there is no ${path}; expected one of ${this.paths.join(", ")}.`, path);
    return entry;
  }

  write(path: string, value: HostArray): void {
    const known = this.entries.get(path);
    if (!known) {
      this.entries.set(path, { aval: value.aval, pending: copyOf(value), placed: null, order: undefined });
      return;
    }
    if (known.aval.dtype !== value.dtype || !sameShape(known.aval.shape, value.shape))
      throw new ShapeError(
        `store: got ${formatAval(value.aval)} for ${path}; expected ${formatAval(known.aval)}.`,
        path,
      );
    if (known.placed) this.put(known.placed, value);
    else known.pending = copyOf(value);
  }

  private put({ buffer, region }: NonNullable<Entry["placed"]>, value: HostArray): void {
    this.memory.writeArray(region.offset, buffer.layout, buffer.dtype, buffer.shape, value.data);
  }

  async read(path: string): Promise<HostArray> {
    const entry = this.entry(path);
    if (!entry.placed) return entry.pending as HostArray;
    const { buffer, region } = entry.placed;
    return this.memory.readArray(region.offset, buffer.layout, buffer.dtype, buffer.shape);
  }

  orderOf(path: string): readonly number[] | undefined {
    const entry = this.entries.get(path);
    return entry?.placed ? (entry.order ?? entry.aval.shape.map((_, i) => i)) : undefined;
  }

  /** Gives a value its memory, in the order of axes that its first program wants. */
  place(path: string, order: readonly number[] | undefined): NonNullable<Entry["placed"]> {
    const entry = this.entry(path);
    if (entry.placed) return entry.placed;
    const { dtype, shape } = entry.aval;
    const buffer: Buffer = {
      id: -1,
      name: path,
      dtype,
      shape,
      layout: layoutOf(shape, order),
      home: { kind: "store", path },
    };
    const region = this.memory.allocate(bytesOfBuffer(buffer), path);
    this.regions.push(region);
    entry.placed = { buffer, region };
    entry.order = order;
    if (entry.pending) this.put(entry.placed, entry.pending);
    entry.pending = null;
    return entry.placed;
  }
}
