import { OptionError } from "../../core/errors.ts";
import { foldKey, keyOf, permutation } from "../../core/prng.ts";
import { checkSeed } from "../split.ts";
import { arrayReader, type Items, iterableReader, type Pass, type Reader, startAfter } from "./reader.ts";
import { type Stacked, type StackOptions, stack } from "./stack.ts";
import { batchReader, filterReader, type MapFunction, mapReader, prefetchReader, shuffleReader } from "./stages.ts";

export type EpochOptions = {
  /** Decides every shuffle and `random()`. Default 0. */
  readonly seed?: number;
  /** Items to leave out at the start: what follows is what would have followed. Default 0. */
  readonly skip?: number;
};

export type MapOptions = {
  /** How many promised results may be under way at once. Their order stays that of the items. Default 1. */
  readonly concurrency?: number;
};

export type BatchStreamOptions = StackOptions & {
  /** Leave out a last batch that is not full. Default false, as in PyTorch. */
  readonly dropLast?: boolean;
};

type Open<T> = (pass: Pass) => Reader<T> | Promise<Reader<T>>;

/**
 * Items that are read when they are needed, one pass after the other: of files, generators or anything that can be iterated over,
 * and larger than memory if need be. Each method gives a new stream and reads nothing.
 *
 * A pass depends on the seed and on its number alone, so that training resumes in the middle of one.
 *
 * @example
 * const numbers = stream([1, 2, 3, 4, 5]).map((x) => x * x).filter((x) => x % 2 === 1);
 * await numbers.toArray() // -> [1, 9, 25]
 */
export class Stream<T> implements AsyncIterable<T> {
  /** Items of a pass, where that is known before it is read. */
  readonly count: number | undefined;
  private readonly openPass: Open<T>;
  private readonly depth: number;

  /** Use `stream` or `shards`. `open` must start after `pass.skip` items. */
  constructor(open: Open<T>, count: number | undefined, depth = 0) {
    this.openPass = open;
    this.count = count;
    this.depth = depth;
  }

  /** A reader of one pass; it must be closed. */
  async open(pass: Pass): Promise<Reader<T>> {
    return this.openPass(pass);
  }

  /** Each item replaced by what `fn` makes of it, a promise included. */
  map<U>(fn: MapFunction<T, U>, options: MapOptions = {}): Stream<U> {
    const { concurrency = 1 } = options;
    whole("map", "concurrency", concurrency, 1);
    return this.next(async (pass) => {
      const { epoch, skip } = pass;
      return mapReader(await this.open(pass), fn, { key: this.keyOf(pass, "map"), epoch, first: skip, concurrency });
    }, this.count);
  }

  /** The items for which `keep` is true. A pass that starts in the middle reads the items before it again. */
  filter(keep: (item: T) => boolean | PromiseLike<boolean>): Stream<T> {
    return this.replayed(async (pass) => filterReader(await this.open(pass), keep), undefined);
  }

  /**
   * Draws each item at random from a buffer of `size` that the next ones fill: as tf.data's shuffle. With a buffer as large as the
   * stream every order is as likely. A pass that starts in the middle reads the items before it again: put what is dear after it.
   */
  shuffle(size: number): Stream<T> {
    whole("shuffle", "size", size, 1);
    return this.replayed(async (pass) => {
      const from = await this.open(pass);
      return pass.unshuffled ? from : shuffleReader(from, size, this.keyOf(pass, "shuffle"));
    }, this.count);
  }

  /**
   * Samples stacked into arrays [size, ...], value by value. The last batch may be shorter.
   *
   * Errors: DataError for samples of different forms, naming the first.
   *
   * @example
   * const [batch] = await stream([{ x: 1 }, { x: 2 }]).batch(2).toArray();
   * batch?.x.shape // -> [2]
   */
  batch(size: number, options: BatchStreamOptions = {}): Stream<Stacked<T>> {
    whole("batch", "size", size, 1);
    const { dropLast = false } = options;
    const { count } = this;
    const batches = count === undefined ? undefined : dropLast ? Math.floor(count / size) : Math.ceil(count / size);
    return this.next(async (pass) => {
      const skip = pass.skip * size;
      const from = await this.open({ ...pass, skip });
      return batchReader(from, size, dropLast, (items, first) => stack(items, options, first), skip);
    }, batches);
  }

  /** Reads up to `size` items ahead while the last ones are being used. */
  prefetch(size: number): Stream<T> {
    whole("prefetch", "size", size, 1);
    return this.next(async (pass) => prefetchReader(await this.open(pass), size), this.count);
  }

  /** The first `count` items of each pass. */
  take(count: number): Stream<T> {
    whole("take", "count", count, 0);
    const known = this.count === undefined ? undefined : Math.min(this.count, count);
    return this.next(async (pass) => {
      let left = Math.max(0, count - pass.skip);
      const from = await this.open(pass);
      return {
        async read(most) {
          const items = left === 0 ? [] : await from.read(Math.min(most, left));
          left -= items.length;
          return items;
        },
        close: () => from.close(),
      };
    }, known);
  }

  /** All but the first `count` items of each pass. */
  skip(count: number): Stream<T> {
    whole("skip", "count", count, 0);
    const known = this.count === undefined ? undefined : Math.max(0, this.count - count);
    return this.next((pass) => this.open({ ...pass, skip: pass.skip + count }), known);
  }

  /** Passes over this stream one after the other as one, each with an order of its own. Default: without end. */
  repeat(times: number = Infinity): Stream<T> {
    if (times !== Infinity) whole("repeat", "times", times, 1);
    const { count } = this;
    return this.replayed(
      async (pass) => {
        let round = 0;
        let skip = 0;
        if (count !== undefined && count > 0) {
          round = Math.floor(pass.skip / count);
          skip = pass.skip % count;
        }
        let reader: Reader<T> | undefined;
        let gave = skip > 0;
        return {
          read: async (most) => {
            while (round < times) {
              const epoch = pass.epoch * (Number.isFinite(times) ? times : 1) + round;
              reader ??= await this.open({ ...pass, key: foldKey(this.keyOf(pass, "repeat"), round), epoch, skip });
              const items = await reader.read(most);
              if (items.length > 0) {
                gave = true;
                return items;
              }
              await reader.close();
              reader = undefined;
              skip = 0;
              // Without items there would be no end.
              if (!gave) return [];
              gave = false;
              round++;
            }
            return [];
          },
          close: async () => reader?.close(),
        };
      },
      count === undefined || !Number.isFinite(times) ? undefined : count * times,
      count !== undefined && count > 0,
    );
  }

  /** The items of one pass (from 0), to be iterated over. */
  epoch(epoch = 0, options: EpochOptions = {}): AsyncIterable<T> {
    const { seed = 0, skip = 0 } = options;
    whole("epoch", "epoch", epoch, 0);
    whole("epoch", "skip", skip, 0);
    const open = (): Promise<Reader<T>> => this.open(passOf(seed, epoch, skip));
    return {
      async *[Symbol.asyncIterator]() {
        const reader = await open();
        try {
          // One at a time: what was not asked for is not read.
          for (let items = await reader.read(1); items.length > 0; items = await reader.read(1)) yield items[0] as T;
        } finally {
          await reader.close();
        }
      },
    };
  }

  /** The first pass. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    return this.epoch()[Symbol.asyncIterator]();
  }

  /** All items of a pass. */
  async toArray(epoch = 0, options: EpochOptions = {}): Promise<T[]> {
    const out: T[] = [];
    for await (const item of this.epoch(epoch, options)) out.push(item);
    return out;
  }

  private next<U>(open: Open<U>, count: number | undefined): Stream<U> {
    return new Stream(open, count, this.depth + 1);
  }

  /** A stream whose items depend on those before: what is to be left out is read all the same. */
  private replayed<U>(open: Open<U>, count: number | undefined, skips = false): Stream<U> {
    return this.next(async (pass) => {
      if (skips) return open(pass);
      return startAfter(await open({ ...pass, skip: 0 }), pass.skip);
    }, count);
  }

  private keyOf(pass: Pass, name: string): Pass["key"] {
    return foldKey(foldKey(pass.key, name), this.depth);
  }
}

/** A pass from its first `skip` items on. */
export function passOf(seed: number, epoch: number, skip: number): Pass {
  const key = foldKey(foldKey(keyOf(checkSeed("stream", seed)), "stream"), epoch);
  return { seed, key, epoch, skip, unshuffled: false };
}

/** What a stream can be made of: items in memory, or a function that gives those of a pass, in memory or one by one. */
export type StreamSource<T> = readonly T[] | Items<T> | ((epoch: number) => Items<T> | Promise<Items<T>>);

export type StreamOptions = {
  /** Items of a pass, where the source does not say so itself. */
  readonly count?: number;
};

/**
 * A stream of an array's items, of anything that can be iterated over again and again, or of what a function (a generator, say)
 * gives for each pass.
 *
 * Errors: OptionError for a generator object, which can be read only once: hand over the function.
 *
 * @example
 * const lines = stream(async function* (epoch) {
 *   yield* ["a", "b", "c"];
 * });
 * await lines.take(2).toArray() // -> ["a", "b"]
 */
export function stream<T>(source: StreamSource<T>, options: StreamOptions = {}): Stream<T> {
  if (options.count !== undefined) whole("stream", "count", options.count, 0);
  if (Array.isArray(source)) return new Stream(async ({ skip }) => arrayReader<T>(source, skip), source.length);
  if (typeof source !== "function" && isOnce(source))
    throw new OptionError(
      "stream: got a generator object, which can be read only once; expected something for every epoch. Hint: hand over the generator function itself.",
      "source",
    );
  const items = typeof source === "function" ? source : () => source as Items<T>;
  return new Stream(async ({ epoch, skip }) => {
    return startAfter(iterableReader(await items(epoch)), skip);
  }, options.count);
}

const isOnce = (source: object): boolean =>
  (Symbol.iterator in source && (source as { [Symbol.iterator](): unknown })[Symbol.iterator]() === source) ||
  (Symbol.asyncIterator in source &&
    (source as { [Symbol.asyncIterator](): unknown })[Symbol.asyncIterator]() === source);

export type ShardsOptions<S> = {
  /** Items of a shard, where they are known: passes that start in the middle then leave out whole shards unread. */
  readonly count?: (shard: S) => number;
  /** Shards that are read side by side, an item of each in turn. Default 1. */
  readonly interleave?: number;
  /** Whether each pass has an order of shards of its own. Default true. */
  readonly shuffle?: boolean;
};

/**
 * A stream of the items of many files or other parts, opened one after the other in an order that changes with the pass. With
 * `shuffle` after it, the order is as good as random though only a buffer is in memory.
 *
 * @example
 * const rows = shards(["a.csv", "b.csv"], (file) => [`${file}:1`, `${file}:2`], { shuffle: false });
 * await rows.toArray() // -> ["a.csv:1", "a.csv:2", "b.csv:1", "b.csv:2"]
 */
export function shards<S, T>(
  list: readonly S[],
  open: (shard: S, epoch: number) => Items<T> | Promise<Items<T>>,
  options: ShardsOptions<S> = {},
): Stream<T> {
  const { interleave = 1, shuffle = true, count } = options;
  whole("shards", "interleave", interleave, 1);
  const counts = count === undefined ? undefined : list.map(count);
  return new Stream(
    async (pass) => {
      const order =
        shuffle && !pass.unshuffled ? [...permutation(foldKey(pass.key, "shards"), list.length)] : [...list.keys()];
      let skip = pass.skip;
      if (counts !== undefined && interleave === 1)
        while (order.length > 0 && skip >= (counts[order[0] as number] as number))
          skip -= counts[order.shift() as number] as number;
      const opened: Reader<T>[] = [];
      const openNext = async (): Promise<Reader<T>[]> => {
        const [next] = order.splice(0, 1);
        if (next === undefined) return [];
        const items = await open(list[next] as S, pass.epoch);
        const key = foldKey(foldKey(pass.key, "shard"), next);
        return [items instanceof Stream ? await items.open({ ...pass, key, skip: 0 }) : iterableReader(items)];
      };
      let turn = 0;
      let begun = false;
      const reader: Reader<T> = {
        async read(most) {
          while (!begun && opened.length < interleave && order.length > 0) opened.push(...(await openNext()));
          begun = true;
          for (;;) {
            const own = opened[turn];
            if (own === undefined) return [];
            const items = await own.read(interleave === 1 ? most : 1);
            if (items.length > 0) {
              turn = (turn + 1) % opened.length;
              return items;
            }
            await own.close();
            opened.splice(turn, 1, ...(await openNext()));
            if (turn === opened.length) turn = 0;
          }
        },
        async close() {
          for (const own of opened) await own.close();
        },
      };
      return startAfter(reader, skip);
    },
    counts?.reduce((sum, each) => sum + each, 0),
  );
}

function whole(op: string, option: string, value: number, min: number): void {
  if (!Number.isSafeInteger(value) || value < min)
    throw new OptionError(`${op}: got ${option} ${value}; expected a whole number of at least ${min}.`, option);
}
