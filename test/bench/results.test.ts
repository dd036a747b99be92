import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

/** The bench is JavaScript with types of its own. */
const bench = (file: string): Promise<Record<string, CallableFunction>> =>
  import(new URL(`../../bench/${file}`, import.meta.url).href);

const { compareResults } = (await bench("compare.mjs")) as { compareResults: CallableFunction };
const { targetRows, isMet } = (await bench("targets.mjs")) as Record<"targetRows" | "isMet", CallableFunction>;
const { modesOn } = (await bench("modes.mjs")) as { modesOn: CallableFunction };
const { readOptions } = (await bench("options.mjs")) as { readOptions: CallableFunction };
const { pairsOf } = (await bench("busy.mjs")) as { pairsOf: CallableFunction };
const { renderDocs } = (await bench("docs.mjs")) as { renderDocs: CallableFunction };

type Times = Readonly<Record<string, readonly number[]>>;

/** A result with one workload. Names that begin with PyTorch are PyTorch's, the others modes of Node 24. */
function resultOf(times: Times, { busy = 0, threads = 1, kind = "cnn", size = 128 } = {}) {
  const rows = Object.entries(times).map(([name, ms]) => {
    const torch = name.startsWith("PyTorch");
    const middle = [...ms].sort((a, b) => a - b)[ms.length >> 1];
    return {
      name: torch ? name : `Node 24 ${name}`,
      ...(torch ? { family: "pytorch" } : { family: "downhill", mode: name, node: "24.1.0" }),
      medianMs: middle,
      ms,
    };
  });
  const best = Math.min(...rows.flatMap((row) => (row.family === "pytorch" ? [row.medianMs ?? Infinity] : [])));
  const comparable = busy === 0;
  return {
    date: "2026-01-01T00:00:00Z",
    revision: "abc",
    ceilings: [],
    summaries: [
      {
        title: "CNN, batch 128",
        kind,
        size,
        threads,
        work: 3.2,
        comparable,
        load: { busy, samples: 10 },
        contenders: rows.map((row) => ({ ...row, ...(comparable && { vsTorch: (row.medianMs ?? 0) / best }) })),
      },
    ],
  };
}

const verdicts = (before: Times, after: Times, options = {}): string[] =>
  compareResults(resultOf(before), resultOf(after, options)).changes.map(
    (change: { verdict: string }) => change.verdict,
  );

test("a slowdown beyond the noise of the samples is marked, one within it is not", () => {
  const before = { fast: [40, 40.2, 39.9], "PyTorch fused": [50, 50.1, 49.9] };
  expect(verdicts(before, { fast: [44, 44.1, 43.9], "PyTorch fused": [50, 50.2, 50] })).toEqual(["slower"]);
  expect(verdicts(before, { fast: [36, 36.1, 35.9], "PyTorch fused": [50, 50.2, 50] })).toEqual(["faster"]);
  expect(verdicts(before, { fast: [41, 41.2, 40.8], "PyTorch fused": [50, 50.2, 50] })).toEqual([""]);
  // Samples that scatter by a tenth say nothing about a tenth.
  expect(verdicts(before, { fast: [40, 44, 48], "PyTorch fused": [50, 50.2, 50] })).toEqual([""]);
});

test("what PyTorch shows as well is the machine's, and a disturbed run is named as such", () => {
  const before = { fast: [40, 40.2, 39.9], "PyTorch fused": [50, 50.1, 49.9] };
  expect(verdicts(before, { fast: [60, 60.2, 59.9], "PyTorch fused": [75, 75.1, 74.9] })).toEqual(["machine"]);
  expect(verdicts(before, { fast: [60, 60.2, 59.9] }, { busy: 6 })).toEqual(["not idle"]);
});

test("workloads of another size are not compared", () => {
  const one = resultOf({ fast: [40] });
  const { changes, missing } = compareResults(one, resultOf({ fast: [80] }, { size: 32 }));
  expect([changes, missing]).toEqual([[], 1]);
});

test("targets are judged by the ratio to PyTorch's fastest form, and not where the machine was busy", () => {
  const times = { fast: [42], wide: [31], "PyTorch channels_last": [50], "PyTorch contiguous": [70] };
  const of = (result: object) =>
    targetRows(result)
      .filter(({ what }: { what: string }) => what === "CNN, batch 128, 1 thread")
      .map((row: { of: string; measured?: number; target: number }) => [row.of, row.measured, row.target, isMet(row)]);
  expect(of(resultOf(times))).toEqual([
    ["fast", 0.84, 0.85, true],
    ["wide", 0.62, 0.6, false],
    ["native", undefined, 0.55, undefined],
  ]);
  expect(of(resultOf(times, { busy: 9 })).map((row: readonly unknown[]) => row[3])).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("modes that an engine cannot tell from others are left out", () => {
  const all = ["reproducible", "fast", "wide-reproducible", "wide", "native"];
  expect(modesOn(all, { version: "20.20.2", relaxedSimd: false })).toEqual(["reproducible", "native"]);
  expect(modesOn(all, { version: "22.1.0", relaxedSimd: true })).toEqual(["reproducible", "fast", "native"]);
  expect(modesOn(all, { version: "24.1.0", relaxedSimd: true })).toEqual(all);
});

test("wrong options are named", () => {
  expect(() => readOptions(["--only", "cnn,rnn"])).toThrow('--only: got "rnn"; expected some of cnn, mlp');
  expect(() => readOptions(["--rounds", "0"])).toThrow('--rounds: got "0"; expected integers of 1 or more');
  expect(() => readOptions(["a.json"])).toThrow('got "a.json"; expected files after one of --resume, --compare');
});

test("the tables and the picture of docs/benchmarks.md are those of the saved results (`npm run bench -- --docs`)", () => {
  const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
  const page = read("benchmarks.md");
  const { page: written, picture } = renderDocs(page);
  expect(page).toBe(written);
  expect(read("bench-steps.svg")).toBe(picture);
  expect(page.match(/<!-- measured: /g)?.length).toBeGreaterThan(8);
});

test("beside a busy processor a mode is held against itself, and left out where it has not both thread counts", () => {
  const named = (...names: string[]): { name: string }[] => names.map((name) => ({ name }));
  const pairs = pairsOf(
    named("fast", "wide-reproducible", "wide", "native"),
    named("fast", "wide", "native", "PyTorch"),
  );
  expect(pairs).toEqual(["fast", "wide", "native"].map((name) => named(name, name)));
});
