import { DataError } from "../../core/errors.ts";
import type { HostArray } from "../../core/host-array.ts";
import type { KeyWords } from "../../core/prng.ts";
import type { Tree } from "../../core/tree.ts";

/** One pass over a stream, from its start or from somewhere in it. The same pass gives the same items. */
export type Pass = {
  readonly seed: number;
  /** Of the seed and the pass: what is drawn in it is drawn from this. */
  readonly key: KeyWords;
  /** From 0. Sources may give other items in each. */
  readonly epoch: number;
  /** Items to leave out at the start. */
  readonly skip: number;
  /** In the sources' own order: to look at the first items without filling a buffer. */
  readonly unshuffled: boolean;
};

/** Hands out a pass's items in order. Read by one reader, one call at a time. */
export interface Reader<T> {
  /** The next items: at most `most`, none after the last. */
  read(most: number): Promise<readonly T[]>;
  /** Lets go of files and timers. Called once, after the last `read` has settled. */
  close(): Promise<void>;
}

/** Stacked samples. */
export type Arrays = { readonly inputs: Tree<HostArray>; readonly targets: Tree<HostArray> };

/** Hands out an epoch's samples in order, stacked. */
export interface BatchReader {
  /** The next `count` samples. Throws DataError where the stream ends before. */
  read(count: number): Promise<Arrays>;
  /** Reads as many more while others work, if it can. */
  ahead?(): void;
  close(): Promise<void>;
}

/** Items of one kind that a source hands out, in memory or not. */
export type Items<T> = Iterable<T> | AsyncIterable<T>;

const nothing = async (): Promise<void> => {};

export function arrayReader<T>(items: ArrayLike<T>, skip: number): Reader<T> {
  let at = Math.min(skip, items.length);
  return {
    read: async (most) => {
      const from = at;
      at = Math.min(items.length, at + most);
      return Array.from({ length: at - from }, (_, i) => items[from + i] as T);
    },
    close: nothing,
  };
}

/** Reads anything that can be iterated over; leaving early ends it, as leaving a loop does. */
export function iterableReader<T>(items: Items<T>): Reader<T> {
  const isAsync = Symbol.asyncIterator in Object(items);
  if (!isAsync && !(Symbol.iterator in Object(items)))
    throw new DataError(
      `stream: got a source that gives ${items === null ? "null" : typeof items}; expected something to iterate over.`,
      "stream",
    );
  const iterator = isAsync
    ? (items as AsyncIterable<T>)[Symbol.asyncIterator]()
    : (items as Iterable<T>)[Symbol.iterator]();
  let done = false;
  return {
    async read(most) {
      const out: T[] = [];
      while (out.length < most && !done) {
        const next = iterator.next();
        const { value, done: ended } = isAsync ? await next : (next as IteratorResult<T>);
        if (ended) done = true;
        else out.push(value);
      }
      return out;
    },
    async close() {
      if (!done) await iterator.return?.();
      done = true;
    },
  };
}

/** The same reader once its first items are read. Closes it where that fails. */
export async function startAfter<T>(reader: Reader<T>, count: number): Promise<Reader<T>> {
  try {
    for (let left = count; left > 0; ) {
      const got = await reader.read(Math.min(left, 1024));
      if (got.length === 0) break;
      left -= got.length;
    }
  } catch (error) {
    await reader.close();
    throw error;
  }
  return reader;
}

/** Exactly `count` items, fewer only at the end. */
export async function readAll<T>(reader: Reader<T>, count: number): Promise<readonly T[]> {
  const first = await reader.read(count);
  if (first.length === count || first.length === 0) return first;
  const all = [...first];
  while (all.length < count) {
    const more = await reader.read(count - all.length);
    if (more.length === 0) break;
    for (const item of more) all.push(item);
  }
  return all;
}
