import * as fc from "fast-check";
import { expect, test } from "vitest";
import { textData } from "./text.ts";
import { byteTokenizer } from "./tokenizer.ts";

const tokenizer = byteTokenizer();
const counting = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i % 251);

test("windows side by side, targets one token later, without a copy", () => {
  const tokens = counting(31);
  const { train, validation } = textData(tokenizer, tokens, { block: 4, validation: 0.3 });
  expect([...(validation?.inputs.data ?? [])]).toEqual([22, 23, 24, 25, 26, 27, 28, 29]);
  expect([...(validation?.targets.data ?? [])]).toEqual([23, 24, 25, 26, 27, 28, 29, 30]);
  expect(train.inputs.shape).toEqual([4, 4]);
  expect(train.inputs.data.buffer).toBe(tokens.buffer);
  expect(validation?.targets.data.buffer).toBe(tokens.buffer);
});

test("each epoch's windows share no token, leave out less than two windows, and move", () => {
  void fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 2, max: 120 }),
      fc.integer({ min: 0, max: 50 }),
      (block, extra, epoch) => {
        const length = block + extra;
        const { train } = textData(tokenizer, counting(length), { block, validation: 0 });
        const starts = [...train.windows.starts(7, epoch)].sort((a, b) => a - b);
        expect(starts.length).toBe(train.inputs.shape[0]);
        expect(starts[0]).toBeGreaterThanOrEqual(0);
        expect((starts.at(-1) ?? 0) + block).toBeLessThan(length);
        for (let i = 1; i < starts.length; i++) expect((starts[i] ?? 0) - (starts[i - 1] ?? 0)).toBe(block);
        expect(length - 1 - starts.length * block).toBeLessThan(2 * block);
      },
    ),
  );
  const { windows } = textData(tokenizer, counting(1000), { block: 10, validation: 0 }).train;
  const offsets = new Set(Array.from({ length: 40 }, (_, epoch) => Math.min(...windows.starts(1, epoch))));
  expect(offsets.size).toBeGreaterThan(7);
  expect(windows.starts(1, 3)).toEqual(windows.starts(1, 3));
  expect(windows.starts(1, 3)).not.toEqual(windows.starts(2, 3));
});

test("random windows reach both ends", () => {
  const { windows } = textData(tokenizer, counting(40), { block: 8, validation: 0, sampling: "random" }).train;
  const starts = Array.from({ length: 200 }, (_, epoch) => [...windows.starts(1, epoch)]).flat();
  expect(Math.min(...starts)).toBe(0);
  expect(Math.max(...starts)).toBe(31);
  expect(new Set(starts).size).toBe(32);
});

test("what does not fit is refused", () => {
  const make = (length: number, options: { block: number; validation?: number }) => () =>
    textData(tokenizer, counting(length), { name: "book.txt", ...options });
  expect(make(8, { block: 8, validation: 0 })).toThrow("book.txt has 8 tokens for training; expected at least 9");
  expect(make(50, { block: 8 })).toThrow("book.txt has 5 tokens for validation; expected at least 9");
  expect(make(50, { block: 0 })).toThrow("got block 0");
  expect(make(50, { block: 8, validation: 1 })).toThrow("got validation 1");
  expect(() => textData(tokenizer, Int32Array.of(1, 300, 2), { block: 1, validation: 0 })).toThrow("token 300 at 1");
});
