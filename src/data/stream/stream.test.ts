import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../core/errors.ts";
import { array } from "../../core/host-array.ts";
import { type Stream, shards, stream } from "./stream.ts";

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sorted = (list: readonly number[]): number[] => [...list].sort((a, b) => a - b);

describe("stream", () => {
  it("reads arrays, things to iterate over, and what functions give for each pass", async () => {
    expect(await stream([1, 2, 3]).toArray()).toEqual([1, 2, 3]);
    expect(await stream(new Set([1, 2])).toArray()).toEqual([1, 2]);
    const generated = stream(async function* (epoch) {
      yield epoch;
      yield epoch + 1;
    });
    expect(await generated.toArray(5)).toEqual([5, 6]);
    expect(await stream(async (epoch) => [epoch]).toArray(2)).toEqual([2]);
    const seen: number[] = [];
    for await (const item of stream(upTo(10))) {
      if (item === 3) break;
      seen.push(item);
    }
    expect(seen).toEqual([0, 1, 2]);
  });

  it("refuses a generator object, and a source that is none", async () => {
    const once = (function* () {
      yield 1;
    })();
    expect(() => stream(once)).toThrow(OptionError);
    expect(() => stream(once)).toThrow("Hint: hand over the generator function itself.");
    await expect(stream(() => 5 as never).toArray()).rejects.toThrow("got a source that gives number");
    expect(() => stream([1]).shuffle(0)).toThrow("shuffle: got size 0; expected a whole number of at least 1.");
  });

  it("knows its count as far as it can", () => {
    const ten = stream(upTo(10));
    expect(ten.count).toBe(10);
    expect(ten.filter(() => true).count).toBeUndefined();
    expect(ten.batch(4).count).toBe(3);
    expect(ten.batch(4, { dropLast: true }).count).toBe(2);
    expect(ten.take(4).count).toBe(4);
    expect(ten.skip(4).count).toBe(6);
    expect(ten.repeat(3).count).toBe(30);
    expect(ten.repeat().count).toBeUndefined();
    expect(
      stream(() => [1], { count: 1 })
        .map(String)
        .shuffle(5)
        .prefetch(2).count,
    ).toBe(1);
  });

  it("reads nothing before it is needed, and only as much as is taken", async () => {
    let read = 0;
    const source = stream(function* () {
      for (;;) yield read++;
    });
    const taken = source.map((x) => x * 2).take(3);
    expect(read).toBe(0);
    expect(await taken.toArray()).toEqual([0, 2, 4]);
    expect(read).toBeLessThanOrEqual(4);
  });

  it("repeats with an order of each pass's own", async () => {
    const rounds = await stream(upTo(20)).shuffle(20).repeat(2).toArray();
    expect(sorted(rounds.slice(0, 20))).toEqual(upTo(20));
    expect(sorted(rounds.slice(20))).toEqual(upTo(20));
    expect(rounds.slice(0, 20)).not.toEqual(rounds.slice(20));
    expect(await stream([1, 2]).repeat().take(5).toArray()).toEqual([1, 2, 1, 2, 1]);
    expect(await stream<number>([]).repeat().toArray()).toEqual([]);
  });

  it("maps promises in order, with no more under way than allowed", async () => {
    let underway = 0;
    let most = 0;
    const slow = stream(upTo(20)).map(
      async (x) => {
        most = Math.max(most, ++underway);
        await new Promise((resolve) => setTimeout(resolve, (20 - x) % 7));
        underway--;
        return x;
      },
      { concurrency: 4 },
    );
    expect(await slow.toArray()).toEqual(upTo(20));
    expect(most).toBe(4);
  });

  it("tells of an error in its turn, and closes what it read", async () => {
    let closed = 0;
    const source = stream(function* () {
      try {
        yield* upTo(100);
      } finally {
        closed++;
      }
    });
    const failing = source.map((x) => {
      if (x === 7) throw new DataError("seven", "x");
      return x;
    });
    const broken: Stream<number>[] = [
      failing,
      failing.prefetch(3),
      failing.shuffle(5),
      source.map(async (x) => (x === 7 ? Promise.reject(new DataError("seven", "x")) : x), { concurrency: 3 }),
    ];
    for (const one of broken) {
      closed = 0;
      await expect(one.toArray()).rejects.toThrow("seven");
      expect(closed).toBe(1);
    }
    const before: number[] = [];
    for await (const x of failing.prefetch(50)) {
      before.push(x);
      if (before.length === 3) break;
    }
    expect(before).toEqual([0, 1, 2]);
  });

  it("never holds more than its buffers", async () => {
    let made = 0;
    let used = 0;
    let most = 0;
    const source = stream(function* () {
      for (let i = 0; i < 5_000; i++) {
        made++;
        yield i;
      }
    });
    for await (const _ of source.shuffle(100).prefetch(16)) {
      used++;
      most = Math.max(most, made - used);
      // Gives what reads ahead its turns.
      if (used % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    expect(used).toBe(5_000);
    expect(most).toBeLessThanOrEqual(100 + 16 + 1);
  });

  it("gives each mapped item random numbers of its own, the same in every reading", async () => {
    const drawn = stream(upTo(50)).map((x, context) => x + context.random() + context.random() / 1e3);
    const once = await drawn.toArray(1, { seed: 3 });
    expect(await drawn.toArray(1, { seed: 3 })).toEqual(once);
    expect(await drawn.toArray(1, { seed: 4 })).not.toEqual(once);
    expect(await drawn.toArray(2, { seed: 3 })).not.toEqual(once);
    expect(await drawn.toArray(1, { seed: 3, skip: 20 })).toEqual(once.slice(20));
    expect(new Set(once.map((x) => x % 1)).size).toBe(50);
  });
});

describe("shards", () => {
  const files = [upTo(5), [10, 11], [20, 21, 22], [30]];
  const all = sorted(files.flat());

  it("reads every shard once, in another order each pass", async () => {
    const items = shards(files, (file) => file);
    const passes = await Promise.all(upTo(8).map((epoch) => items.toArray(epoch)));
    for (const pass of passes) expect(sorted(pass)).toEqual(all);
    expect(new Set(passes.map(String)).size).toBeGreaterThan(3);
    expect(await shards(files, (file) => file, { shuffle: false }).toArray()).toEqual(files.flat());
  });

  it("takes items of several shards in turn", async () => {
    const items = shards(files, (file) => file, { shuffle: false, interleave: 2 });
    expect(await items.toArray()).toEqual([0, 10, 1, 11, 2, 20, 3, 21, 4, 22, 30]);
  });

  it("leaves out whole shards unread where it knows their counts", async () => {
    const opened: number[] = [];
    const items = shards(
      files,
      (file) => {
        opened.push(file[0] as number);
        return file;
      },
      { shuffle: false, count: (file) => file.length },
    );
    expect(items.count).toBe(11);
    expect(await items.toArray(0, { skip: 8 })).toEqual([21, 22, 30]);
    expect(opened).toEqual([20, 30]);
  });
});

describe("any stream", () => {
  type Stage = { readonly name: string; readonly apply: (s: Stream<number>) => Stream<number> };
  const size = fc.integer({ min: 1, max: 12 });
  const stage: fc.Arbitrary<Stage> = fc.oneof(
    size.map((n) => ({ name: `shuffle ${n}`, apply: (s: Stream<number>) => s.shuffle(n) })),
    size.map((n) => ({ name: `prefetch ${n}`, apply: (s: Stream<number>) => s.prefetch(n) })),
    size.map((n) => ({ name: `filter ${n}`, apply: (s: Stream<number>) => s.filter((x) => x % (n + 1) !== 0) })),
    size.map((n) => ({ name: `take ${n}`, apply: (s: Stream<number>) => s.take(3 * n) })),
    size.map((n) => ({ name: `skip ${n}`, apply: (s: Stream<number>) => s.skip(n) })),
    fc.constant({ name: "repeat", apply: (s: Stream<number>) => s.repeat(2) }),
    fc.constant({ name: "map", apply: (s: Stream<number>) => s.map((x, c) => x * 100 + Math.floor(c.random() * 100)) }),
    size.map((n) => ({
      name: `async map ${n}`,
      apply: (s: Stream<number>) => s.map(async (x) => x + 1, { concurrency: n }),
    })),
    size.map((n) => ({
      name: `batch ${n}`,
      apply: (s: Stream<number>) => s.batch(n).map(({ data }) => [...data].reduce((a, b) => a + b, 0)),
    })),
  );
  const source = fc.oneof(
    fc.integer({ min: 0, max: 40 }).map((n) => stream(upTo(n))),
    fc.integer({ min: 0, max: 40 }).map((n) => stream(() => upTo(n))),
    fc
      .tuple(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 6 }), fc.integer({ min: 1, max: 3 }), fc.boolean())
      .map(([lengths, interleave, known]) =>
        shards(
          lengths.map((n, k) => upTo(n).map((i) => 10 * k + i)),
          (list) => list,
          { interleave, ...(known ? { count: (list: number[]) => list.length } : {}) },
        ),
      ),
  );

  it("resumes anywhere with what would have followed, and counts right", () =>
    fc.assert(
      fc.asyncProperty(
        source,
        fc.array(stage, { maxLength: 4 }),
        fc.nat(3),
        fc.nat(1000),
        fc.nat(30),
        async (from, stages, epoch, seed, skip) => {
          const built = stages.reduce((s, { apply }) => apply(s), from);
          const whole = await built.toArray(epoch, { seed });
          expect(await built.toArray(epoch, { seed, skip }), stages.map(({ name }) => name).join()).toEqual(
            whole.slice(skip),
          );
          if (built.count !== undefined) expect(whole.length).toBe(built.count);
        },
      ),
    ));

  it("keeps every item once when it is shuffled", () =>
    fc.assert(
      fc.asyncProperty(fc.nat(60), size, fc.nat(100), async (n, buffer, seed) => {
        expect(sorted(await stream(upTo(n)).shuffle(buffer).toArray(0, { seed }))).toEqual(upTo(n));
      }),
    ));
});

describe("batch", () => {
  it("stacks numbers, vectors and arrays value by value", async () => {
    const samples = stream(
      upTo(5).map((i) => ({ x: { a: Float32Array.of(i, -i), b: array([[i]], undefined, "i32") }, y: i, z: i })),
    );
    const batches = await samples.batch(2, { whole: ["y"] }).toArray();
    expect(batches.map(({ y }) => y.shape)).toEqual([[2], [2], [1]]);
    expect(batches[1]?.x.a.shape).toEqual([2, 2]);
    expect([...(batches[1]?.x.a.data ?? [])]).toEqual([2, -2, 3, -3]);
    expect(batches[1]?.x.b.shape).toEqual([2, 1, 1]);
    expect(batches[1]?.x.b.dtype).toBe("i32");
    expect(batches[1]?.y.data).toEqual(Int32Array.of(2, 3));
    expect(batches[1]?.z.data).toEqual(Float32Array.of(2, 3));
  });

  it("names the sample that has another form", async () => {
    const of = (samples: readonly unknown[], options = {}): Promise<unknown> =>
      stream(samples).batch(4, options).toArray();
    await expect(of([{ x: 1 }, { x: 2 }, { x: Float32Array.of(1) }])).rejects.toThrow(
      "batch: got f32[1] for x of sample 2; expected f32[] as in the first.",
    );
    await expect(of([{ x: 1 }, { y: 2 }])).rejects.toThrow("batch: got nothing for x of sample 1");
    await expect(of([{ x: "cat" }])).rejects.toThrow('batch: got "cat" for x of sample 0');
    await expect(of([{ x: Uint8Array.of(1) }, { x: Float32Array.of(1) }])).rejects.toThrow(
      "batch: got f32[1] for x of sample 1; expected u8[1] as in the first.",
    );
    await expect(of([{ x: 1 }, { x: 2.5 }], { whole: ["x"] })).rejects.toThrow(
      "batch: got 2.5 for x of sample 1; expected a whole number.",
    );
    await expect(of([1, 2, 3, 4, 5, array([[1]])])).rejects.toThrow("for the value of sample 5");
  });
});
