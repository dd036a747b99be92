import { foldKey, type KeyWords, uniformAt } from "../../core/prng.ts";
import { type Reader, readAll } from "./reader.ts";

/** What a mapping function is told of the item that it is given. */
export type ItemContext = {
  readonly epoch: number;
  /** The item's place in the pass, from 0. */
  readonly index: number;
  /** Uniform numbers in [0, 1) of this item's own: the same in the same pass with the same seed, wherever it was resumed. */
  readonly random: () => number;
};

export type MapFunction<T, U> = (item: T, context: ItemContext) => U | PromiseLike<U>;

class Context implements ItemContext {
  readonly epoch: number;
  readonly index: number;
  readonly random: () => number;

  constructor(passKey: KeyWords, epoch: number, index: number) {
    this.epoch = epoch;
    this.index = index;
    let key: KeyWords | undefined;
    let drawn = 0;
    this.random = () => {
      key ??= foldKey(passKey, index);
      return uniformAt(key, drawn++);
    };
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | null)?.then === "function";

/** Results in the items' order. Of those that are promised, up to `concurrency` are under way at once. */
export function mapReader<T, U>(
  from: Reader<T>,
  fn: MapFunction<T, U>,
  options: { readonly key: KeyWords; readonly epoch: number; readonly first: number; readonly concurrency: number },
): Reader<U> {
  const { key, epoch, first, concurrency } = options;
  let index = first;
  const underway: Promise<U>[] = [];
  let promised = false;
  let ended = false;
  const start = (item: T): U | PromiseLike<U> => {
    try {
      return fn(item, new Context(key, epoch, index++));
    } catch (error) {
      return Promise.reject(error);
    }
  };
  const wait = (result: U | PromiseLike<U>): void => {
    const waiting = Promise.resolve(result);
    // It is told of when its turn comes, which may be never.
    waiting.catch(() => {});
    underway.push(waiting);
  };
  const fill = async (): Promise<void> => {
    while (!ended && underway.length < concurrency) {
      const items = await from.read(concurrency - underway.length);
      if (items.length === 0) ended = true;
      for (const item of items) wait(start(item));
    }
  };
  return {
    async read(most) {
      if (promised) {
        await fill();
        const next = underway.shift();
        return next === undefined ? [] : [await next];
      }
      const out: U[] = [];
      const items = await from.read(Math.min(most, index === first ? 1 : most));
      for (const item of items) {
        const result = start(item);
        if (isPromise(result)) promised = true;
        if (promised) {
          wait(result);
          // One that was not expected to wait: no more than so many at once.
          await underway[underway.length - concurrency]?.catch(() => {});
        } else out.push(result as U);
      }
      if (!promised || out.length > 0) return out;
      return this.read(most);
    },
    async close() {
      await Promise.allSettled(underway);
      await from.close();
    },
  };
}

export function filterReader<T>(from: Reader<T>, keep: (item: T) => boolean | PromiseLike<boolean>): Reader<T> {
  return {
    async read(most) {
      for (;;) {
        const items = await from.read(most);
        if (items.length === 0) return items;
        const kept: T[] = [];
        for (const item of items) {
          const answer = keep(item);
          if (answer === true || (answer !== false && (await answer))) kept.push(item);
        }
        if (kept.length > 0) return kept;
      }
    },
    close: () => from.close(),
  };
}

/** A buffer of `size` items from which one is drawn at random and replaced by the next. */
export function shuffleReader<T>(from: Reader<T>, size: number, key: KeyWords): Reader<T> {
  const buffer: T[] = [];
  let drawn = 0;
  let ended = false;
  const draw = (): number => Math.floor(uniformAt(key, drawn++) * buffer.length);
  return {
    async read(most) {
      while (buffer.length < size && !ended) {
        const items = await from.read(size - buffer.length);
        ended = items.length === 0;
        for (const item of items) buffer.push(item);
      }
      if (!ended) {
        const items = await from.read(most);
        ended = items.length === 0;
        if (!ended)
          return items.map((item) => {
            const at = draw();
            const out = buffer[at] as T;
            buffer[at] = item;
            return out;
          });
      }
      const out: T[] = [];
      while (out.length < most && buffer.length > 0) {
        const at = draw();
        out.push(buffer[at] as T);
        buffer[at] = buffer[buffer.length - 1] as T;
        buffer.pop();
      }
      return out;
    },
    async close() {
      buffer.length = 0;
      await from.close();
    },
  };
}

/** Groups of `size` items; the last is shorter, or left out. */
export function batchReader<T, B>(
  from: Reader<T>,
  size: number,
  dropLast: boolean,
  make: (items: readonly T[], index: number) => B,
  first: number,
): Reader<B> {
  let index = first;
  return {
    async read(most) {
      const out: B[] = [];
      while (out.length < most) {
        const items = await readAll(from, size);
        if (items.length === 0 || (dropLast && items.length < size)) break;
        out.push(make(items, index));
        index += items.length;
        if (items.length < size) break;
      }
      return out;
    },
    close: () => from.close(),
  };
}

/** Reads ahead while others work: up to `size` items wait here. */
export function prefetchReader<T>(from: Reader<T>, size: number): Reader<T> {
  const waiting: T[] = [];
  let reading: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let over = false;
  const ahead = (): void => {
    if (over || reading !== undefined || waiting.length >= size) return;
    reading = from
      .read(size - waiting.length)
      .then(
        (items) => {
          if (items.length === 0) over = true;
          for (const item of items) waiting.push(item);
        },
        (error: unknown) => {
          failure = { error };
          over = true;
        },
      )
      .then(() => {
        reading = undefined;
        ahead();
      });
  };
  return {
    async read(most) {
      ahead();
      while (waiting.length === 0 && reading !== undefined) await reading;
      if (waiting.length === 0 && failure !== undefined) throw failure.error;
      const out = waiting.splice(0, most);
      ahead();
      return out;
    },
    async close() {
      over = true;
      await reading;
      waiting.length = 0;
      await from.close();
    },
  };
}
