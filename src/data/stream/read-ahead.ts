import { HostArray, newData } from "../../core/host-array.ts";
import { mapTree, type Tree, zipTrees } from "../../core/tree.ts";
import type { Arrays, BatchReader } from "./reader.ts";

/** A reader that, when told, reads what will probably be asked for next: as much as last, of what is left. */
export class ReadAhead implements BatchReader {
  private readonly reader: BatchReader;
  private left: number;
  private last = 0;
  private turn = 0;
  private held: { readonly count: number; readonly batch: Promise<Arrays> } | undefined;

  constructor(reader: BatchReader, left: number) {
    this.reader = reader;
    this.left = left;
  }

  async read(count: number): Promise<Arrays> {
    this.turn++;
    this.last = count;
    if (this.held === undefined) return this.start(count);
    const { count: held, batch } = this.held;
    const found = await batch;
    this.held = undefined;
    if (held === count) return found;
    if (held < count) return joined(found, await this.start(count - held));
    this.held = { count: held - count, batch: Promise.resolve(rows(found, count, held)) };
    return rows(found, 0, count);
  }

  /** Reads while others work, once they are at it. */
  ahead(): void {
    const { turn } = this;
    setTimeout(() => {
      const count = Math.min(this.last, this.left);
      if (turn !== this.turn || this.held !== undefined || count === 0) return;
      const batch = this.start(count);
      // It is told of when it is asked for.
      batch.catch(() => {});
      this.held = { count, batch };
    }, 0);
  }

  async close(): Promise<void> {
    this.turn++;
    await this.held?.batch.catch(() => {});
    await this.reader.close();
  }

  private start(count: number): Promise<Arrays> {
    this.left -= count;
    return this.reader.read(count);
  }
}

function rows(batch: Arrays, from: number, to: number): Arrays {
  return mapTree<HostArray, HostArray>(batch, ({ dtype, shape: [count = 0, ...own], data }) => {
    const width = data.length / count;
    return new HostArray(dtype, [to - from, ...own], data.subarray(from * width, to * width));
  }) as Tree<HostArray> as Arrays;
}

function joined(first: Arrays, second: Arrays): Arrays {
  const join = (_: string, a: HostArray, b = a): HostArray => {
    const [count = 0, ...own] = a.shape;
    const data = newData(a.dtype, a.data.length + b.data.length);
    data.set(a.data);
    data.set(b.data, a.data.length);
    return new HostArray(a.dtype, [count + (b.shape[0] ?? 0), ...own], data);
  };
  return zipTrees<HostArray, HostArray>(join, first, second) as Tree<HostArray> as Arrays;
}
