import { describe, expect, test } from "vitest";
import golden from "../../../golden/augment/augment.json" with { type: "json" };
import { wasmBackend } from "../../backends/wasm/index.ts";
import { runFunction } from "../../compile/run-function.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { contrasted, grey, hueTurned, lit, saturated } from "./color.ts";
import { equalized } from "./levels.ts";
import { amountOf, CHANGES, changedBy, RAND_AUGMENT, TRIVIAL_AUGMENT } from "./policies.ts";
import { enlarged, mapped } from "./warps.ts";

const radians = Math.PI / 180;

/** Row i of the parameters as a number for each picture. */
type Drawn = (i: number) => Tensor;

const TRANSFORMS: Readonly<Record<keyof typeof golden.cases, (x: Tensor, drawn: Drawn) => Tensor>> = {
  // torchvision's rotate turns the other way than its affine.
  rotate: (x, drawn) => {
    const none = drawn(0).zerosLike();
    return mapped(x, {
      angle: drawn(0).mul(-radians),
      right: none,
      down: none,
      scale: none.onesLike(),
      shear: none,
    });
  },
  affine: (x, drawn) =>
    mapped(x, {
      angle: drawn(0).mul(radians),
      right: drawn(1),
      down: drawn(2),
      scale: drawn(3),
      shear: drawn(4).mul(radians),
    }),
  resizedCrop: (x, drawn) => enlarged(x, { left: drawn(0), top: drawn(1), width: drawn(2), height: drawn(3) }),
  brightness: (x, drawn) => lit(x, drawn(0)),
  contrast: (x, drawn) => contrasted(x, drawn(0)),
  saturation: (x, drawn) => saturated(x, drawn(0)),
  hue: (x, drawn) => hueTurned(x, drawn(0)),
  grayscale: (x) => grey(x).broadcastTo(x.shape),
};

test.each(Object.entries(golden.cases))("%s is torchvision's, pixel by pixel", async (kind, { given, after }) => {
  const rows = given.map((row) => (typeof row === "number" ? [row] : row));
  const parameters = (rows[0] as number[]).map(
    (_, i) =>
      new HostArray(
        "f32",
        [rows.length, 1, 1, 1],
        Float32Array.from(rows, (row) => row[i] as number),
      ),
  );
  const pictures = new HostArray("f32", golden.shape, Float32Array.from(golden.pictures));
  const [result] = await runFunction(
    wasmBackend(),
    (x, ...drawn) => TRANSFORMS[kind as keyof typeof TRANSFORMS](x, (i) => drawn[i] as Tensor),
    [pictures, ...parameters],
  );
  const off = after.map((value, i) => Math.abs(value - ((result as HostArray).data[i] as number)));
  expect(Math.max(...off)).toBeLessThan(2e-6);
});

/** Those that torchvision cuts off to bytes, and we round; of these two it cuts the grey off before. */
const CUT: Readonly<Record<string, number>> = {
  brightness: 1,
  color: 2,
  contrast: 2,
  sharpness: 2,
  autoContrast: 1,
};

describe.each(Object.entries(golden.policies))("%s", (policy, space) => {
  const [, height = 0, width = 0] = golden.bytes.shape;
  const strengths = policy === "trivialAugment" ? TRIVIAL_AUGMENT : RAND_AUGMENT(height, width);

  test("its changes are torchvision's, in its order", () => {
    const names = CHANGES.map((name) => name.replace(/^./, (first) => first.toUpperCase()));
    expect(Object.keys(space)).toEqual(names);
  });

  test.each(Object.entries(space))("%s", async (name, { given, after }) => {
    const which = CHANGES.findIndex((change) => change.toLowerCase() === name.toLowerCase());
    const change = CHANGES[which] as (typeof CHANGES)[number];
    const amounts = given.map(({ level, sign }) => sign * amountOf(change, level, strengths));
    const expected = given.map(({ amount }) =>
      name === "Posterize" ? 2 ** (8 - amount) : name.startsWith("Translate") ? Math.trunc(amount) : amount,
    );
    for (const [i, amount] of amounts.entries()) expect(amount).toBeCloseTo(expected[i] as number, 5);
    const count = given.length;
    const each = [count, 1, 1, 1];
    const pictures = new HostArray(
      "f32",
      [count, ...golden.bytes.shape],
      Float32Array.from({ length: count * golden.bytes.picture.length }, (_, i) => {
        return golden.bytes.picture[i % golden.bytes.picture.length] as number;
      }),
    );
    const [result] = await runFunction(wasmBackend(), (x, kind, amount) => changedBy(x, kind, amount).clip(0, 255), [
      pictures,
      new HostArray("i32", each, new Int32Array(count).fill(which)),
      new HostArray("f32", each, Float32Array.from(amounts)),
    ]);
    const off = after.map((value, i) => Math.abs(value - ((result as HostArray).data[i] as number)));
    expect(Math.max(...off)).toBeLessThan((CUT[change] ?? 0) + 1e-3);
    if (name !== "Identity" && name !== "Equalize") expect(after).not.toEqual([...pictures.data]);
  });
});

test("equalize is torchvision's on pictures that are large enough; a channel of one number stays", async () => {
  const { shape, picture, after } = golden.equalized;
  const [result] = await runFunction(wasmBackend(), equalized, [
    new HostArray("f32", [1, ...shape], Float32Array.from(picture)),
  ]);
  expect([...(result as HostArray).data]).toEqual(after);
});
