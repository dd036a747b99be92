import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { joinBytes } from "../core/bytes.ts";
import { DataError } from "../core/errors.ts";
import { histogramOf } from "./histogram.ts";
import {
  EVENT_VERSION,
  encodeSummaryEvent,
  hyperparameters,
  hyperparametersEnd,
  type Summary,
  type SummaryEvent,
} from "./tensorboard.ts";
import { decodeSummaryEvents } from "./tensorboard-reader.ts";

type Described = Record<"min" | "max" | "count" | "sum" | "sumOfSquares", number> & {
  readonly values: readonly number[];
  readonly buckets: readonly (readonly [number, number, number])[];
};

/** Of golden/io/event-files.py. */
const golden = JSON.parse(readFileSync(new URL("../../golden/io/event-files.json", import.meta.url), "utf8")) as {
  readonly [K in "png" | "written" | "newer" | "torch"]: string;
} & { readonly histograms: Readonly<Record<string, Described>> };

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const png = bytesOf(golden.png);
const time = 1700000000.25;
const histogram = {
  min: -1.5,
  max: 2,
  count: 3,
  sum: 0.75,
  sumOfSquares: 6.3125,
  limits: [-1, 0, 0.5, 2.5],
  counts: [1, 0, 1, 1],
};
const WRITTEN: readonly SummaryEvent[] = [
  { time, step: 0, summaries: [], version: EVENT_VERSION },
  { time, step: 300, summaries: [], session: "start" },
  {
    time,
    step: 1,
    summaries: [
      { tag: "train/loss", kind: "scalar", value: Math.fround(0.1) },
      { tag: "rate", kind: "scalar", value: 0 },
    ],
  },
  { time, step: -7, summaries: [{ tag: "größe", kind: "scalar", value: -Infinity }] },
  { time, step: 2 ** 40, summaries: [{ tag: "weights/0.weight", kind: "histogram", histogram }] },
  { time, step: 128, summaries: [{ tag: "inputs", kind: "image", width: 2, height: 1, png }] },
  { time, step: 0, summaries: [{ tag: "config", kind: "text", text: "**mnist**" }] },
  {
    time,
    step: 0,
    summaries: [
      hyperparameters({ rate: 0.05 }, { group: "mnist-cnn", time }),
      hyperparametersEnd("success", 1700000001.5),
    ],
  },
];

describe("event files", () => {
  test("are written byte for byte as TensorBoard's own messages and record writer do", () => {
    const written = joinBytes(WRITTEN.map(encodeSummaryEvent));
    expect(Buffer.from(written).toString("base64")).toBe(golden.written);
  });

  test("of TensorBoard are read", () => {
    expect(decodeSummaryEvents(bytesOf(golden.written))).toEqual({ events: WRITTEN, torn: 0 });
  });

  test("with the newer form, where all is a tensor, are read", () => {
    const { events } = decodeSummaryEvents(bytesOf(golden.newer));
    const image = { tag: "i", kind: "image", width: 2, height: 1, png } as const;
    const summaries: Summary[] = [
      { tag: "loss", kind: "scalar", value: 0.5 },
      { tag: "exact", kind: "scalar", value: 0.1 },
      {
        tag: "h",
        kind: "histogram",
        histogram: { min: 0, max: 4, count: 4, limits: [1, 2, 3, 4], counts: [1, 2, 0, 1] },
      },
      image,
      image,
    ];
    expect(events).toEqual([{ time, step: 3, summaries }]);
  });

  test("of PyTorch's SummaryWriter are read", () => {
    const { events, torn } = decodeSummaryEvents(bytesOf(golden.torch));
    const [first, loss, newer, weights, note] = events;
    expect([events.length, torn, first?.version]).toEqual([5, 0, "brain.Event:2"]);
    expect(loss).toEqual({ time: time + 0.25, step: 5, summaries: [{ tag: "loss", kind: "scalar", value: 0.25 }] });
    expect(newer?.summaries).toEqual([{ tag: "newer", kind: "scalar", value: 0.75 }]);
    expect(weights).toMatchObject({
      step: 7,
      summaries: [{ tag: "w", histogram: { min: -1, max: 2, count: 4, sum: 2, sumOfSquares: 5.5 } }],
    });
    expect(note?.summaries).toEqual([{ tag: "note/text_summary", kind: "text", text: "two words" }]);
  });

  test("that are being written end in a torn record", () => {
    const written = bytesOf(golden.written);
    const whole = joinBytes(WRITTEN.slice(0, 5).map(encodeSummaryEvent)).length;
    for (const end of [whole + 1, whole + 12, whole + 20])
      expect(decodeSummaryEvents(written.subarray(0, end))).toEqual({ events: WRITTEN.slice(0, 5), torn: end - whole });
  });

  test("with a changed byte are refused at the record's place", () => {
    const [first, second] = WRITTEN.map(encodeSummaryEvent) as [Uint8Array, Uint8Array];
    const file = joinBytes([first, second]);
    const changed = (at: number): Uint8Array => file.map((byte, i) => (i === at ? byte ^ 4 : byte));
    const error = (bytes: Uint8Array): DataError => {
      try {
        decodeSummaryEvents(bytes, "events.out.tfevents.1");
      } catch (thrown) {
        return thrown as DataError;
      }
      throw new Error("it was read");
    };
    expect(error(changed(first.length + 2)).message).toBe(
      "tensorboard: events.out.tfevents.1, record 1 has a length whose checksum does not fit; expected an event file.",
    );
    expect(error(changed(first.length + 13)).where).toBe(`events.out.tfevents.1, byte ${first.length + 12}`);
    expect(error(changed(file.length - 1))).toBeInstanceOf(DataError);
  });

  test("take whole steps alone", () => {
    expect(() => encodeSummaryEvent({ time, step: 0.5, summaries: [] })).toThrow(
      "tensorboard: got step 0.5; expected a whole number.",
    );
  });
});

describe("histogramOf", () => {
  test.each(Object.entries(golden.histograms))("of values like %s counts as TensorFlow's buckets do", (_, expected) => {
    const { limits, counts, ...rest } = histogramOf(Float32Array.from(expected.values));
    const found = counts.flatMap((count, i) => (count === 0 ? [] : [[limits[i - 1], limits[i], count]]));
    expect([found.length, found.map(([, , count]) => count)]).toEqual([
      expected.buckets.length,
      expected.buckets.map(([, , count]) => count),
    ]);
    // PyTorch multiplies its limits as this does, so they are the same doubles.
    expect(found.map(([, right]) => right)).toEqual(expected.buckets.map(([, right]) => right));
    expect(found.slice(1).map(([left]) => left)).toEqual(expected.buckets.slice(1).map(([left]) => left));
    const { min, max, count } = expected;
    expect(rest).toMatchObject({ min, max, count });
    // Sums in another order differ in a double's last bits, relative to their largest term.
    const near = (got: number | undefined, wanted: number, scale: number): void =>
      expect(Math.abs((got ?? Number.NaN) - wanted)).toBeLessThanOrEqual(1e-13 * scale);
    near(rest.sum, expected.sum, Math.sqrt(count * expected.sumOfSquares));
    near(rest.sumOfSquares, expected.sumOfSquares, expected.sumOfSquares);
  });

  test("has buckets for numbers of any size", () => {
    const { limits, counts } = histogramOf([-1e300, 1e300]);
    const edge = limits[1] as number;
    expect(edge).toBeGreaterThan(9e19);
    expect(limits).toEqual([-edge, edge, Number.MAX_VALUE]);
    expect(counts).toEqual([1, 0, 1]);
  });

  test("leaves out what is not finite", () => {
    const found = histogramOf([Number.NaN, 1, Infinity, -Infinity]);
    expect(found).toMatchObject({ min: 1, max: 1, count: 1, sum: 1, counts: [1] });
    expect(histogramOf([Number.NaN])).toEqual({
      min: 0,
      max: 0,
      count: 0,
      sum: 0,
      sumOfSquares: 0,
      limits: [Number.MAX_VALUE],
      counts: [0],
    });
  });
});
