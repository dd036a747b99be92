import { expect, test } from "vitest";
import type { TrainEvent } from "../train/events.ts";
import { formatBytes, formatDuration, formatNumber, plainRow, progressLine, tableHeader, tableRow } from "./format.ts";

const epoch: TrainEvent & { type: "epoch" } = {
  type: "epoch",
  epoch: 3,
  step: 1290,
  rate: 0.025,
  train: { loss: 0.04321, accuracy: 0.98765 },
  validation: { loss: 0.0512, accuracy: 0.9851 },
  timeMs: 12_345,
  timeByPhase: { sample: 123, forward: 4000, backward: 8000, update: 222 },
  samplesPerEpoch: 55_000,
};

test("numbers keep about four digits and never more than 7 characters", () => {
  const values = [0, 0.1, 12.3456, 1234.56, 123456, 0.00012, -3.2e-9, Number.NaN, Infinity, undefined];
  expect(values.map(formatNumber)).toEqual([
    "0.0000",
    "0.1000",
    "12.35",
    "1234.6",
    "1.2e+5",
    "1.2e-4",
    "-3.2e-9",
    "NaN",
    "Infinity",
    "-",
  ]);
  expect([12, 1234, 125_000].map(formatDuration)).toEqual(["12 ms", "1.2 s", "2 min 05 s"]);
  expect([12, 2048, 5 * 2 ** 20].map(formatBytes)).toEqual(["12 bytes", "2.0 KiB", "5.0 MiB"]);
});

test("header and rows of the table line up within 80 columns", () => {
  const lines = [...tableHeader().split("\n"), tableRow(epoch)];
  expect(lines.join("\n")).toBe(
    [
      "            training     validation                     time over the four steps",
      "epoch    loss   acc.    loss   acc.    rate  time sample forward backward update",
      "    3  0.0432 98.77%  0.0512 98.51%  0.0250 12.3s     1%     32%      65%     2%",
    ].join("\n"),
  );
  expect(Math.max(...lines.map((line) => line.length))).toBe(80);
});

test("without validation or an instrumented step the row says so", () => {
  const row = tableRow({ ...epoch, validation: {}, timeByPhase: { sample: 0, forward: 0, backward: 0, update: 0 } });
  expect(row).toBe("    3  0.0432 98.77%       -      -  0.0250 12.3s      -       -        -      -");
});

test("the plain line names what it shows", () => {
  expect(plainRow(epoch, 5)).toBe(
    "epoch 3/5, training loss 0.0432 accuracy 98.77%, validation loss 0.0512 accuracy 98.51%, rate 0.0250, " +
      "12.3 s (sample 1% forward 32% backward 65% update 2%)",
  );
});

test("the live line never wraps", () => {
  const progress = { epoch: 1, epochs: 5, done: 0.5, loss: 0.5, accuracy: 0.9, imagesPerSecond: 4512, leftMs: 61_000 };
  expect(progressLine(progress, 120)).toBe(
    "epoch 1/5 ██████████░░░░░░░░░░  50%  loss 0.5000  acc. 90.00%  4,512/s  61.0 s left",
  );
  expect(progressLine(progress, 70)).toBe("epoch 1/5 ███░░░  50%  loss 0.5000  acc. 90.00%  4,512/s  61.0 s left");
  expect(progressLine(progress, 40)).toHaveLength(39);
});
