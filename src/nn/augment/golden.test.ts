import { expect, test } from "vitest";
import golden from "../../../golden/augment/augment.json" with { type: "json" };
import { wasmBackend } from "../../backends/wasm/index.ts";
import { runFunction } from "../../compile/run-function.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { contrasted, grey, lit, saturated } from "./color.ts";
import { enlarged, mapped } from "./warps.ts";

const radians = Math.PI / 180;

/** Row i of the parameters as a number for each picture. */
type Drawn = (i: number) => Tensor;

const CHANGES: Readonly<Record<keyof typeof golden.cases, (x: Tensor, drawn: Drawn) => Tensor>> = {
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
    (x, ...drawn) => CHANGES[kind as keyof typeof CHANGES](x, (i) => drawn[i] as Tensor),
    [pictures, ...parameters],
  );
  const off = after.map((value, i) => Math.abs(value - ((result as HostArray).data[i] as number)));
  expect(Math.max(...off)).toBeLessThan(2e-6);
});
