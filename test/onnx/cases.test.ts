import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { referenceBackend } from "../../src/backends/reference/index.ts";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import type { HostArray } from "../../src/core/host-array.ts";
import { dtypeOf, Unsupported } from "./call.ts";
import { type Case, caseNames, casesFolder, readCase } from "./cases.ts";
import { type Plan, plan, run } from "./graph.ts";
import type { OnnxTensor } from "./protobuf.ts";
import { toleranceOf } from "./tolerances.ts";
import listed from "./unsupported.json" with { type: "json" };

if (casesFolder === undefined)
  console.log(
    "Skipped: the operator cases of ONNX. Debian's libonnx-testdata has them; ONNX_TESTDATA may name their folder.",
  );

const single = referenceBackend();
const double = referenceBackend({ precision: "f64" });
const wasm = wasmBackend();
afterAll(async () => {
  for (const backend of [single, double, wasm]) await backend.close();
});

/** Bytes may come out as i32, in which they are computed. */
const INTEGERS: readonly string[] = ["i32", "u8"];

const unsupported: Readonly<Record<string, readonly string[]>> = listed;
const refused = new Set(Object.values(unsupported).flat());

/** Doubles and no singles: the reference computes it in double precision too. */
const isDouble = ({ inputs, outputs }: Case): boolean => {
  const types = [...inputs, ...outputs].map(({ type }) => type);
  return types.includes("double") && !types.includes("float");
};

/** A case's plan, or the reason why there is none. */
async function planOf(given: Case): Promise<Plan | string> {
  try {
    const { graph } = given.model;
    // Files hold bfloat16 as uint16, so that the types that count are the declared ones.
    for (const { kind, type } of [...graph.inputs, ...graph.outputs])
      if (kind === "tensor" && type === "bfloat16") dtypeOf(type);
    for (const { type } of given.outputs) dtypeOf(type);
    return await plan(isDouble(given) ? double : single, given.model, given.inputs, isDouble(given));
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    throw error;
  }
}

/** "", or what differs by more than relative * |expected| + absolute. */
function differenceOf(got: HostArray, expected: OnnxTensor, relative: number, absolute: number): string {
  expect(got.shape).toEqual(expected.shape);
  const wanted = dtypeOf(expected.type);
  expect(INTEGERS.includes(wanted) ? INTEGERS : [wanted]).toContain(got.dtype);
  let faults = 0;
  let worst = { excess: 0, text: "" };
  expected.values.forEach((b, i) => {
    const a = got.data[i] as number;
    if (Object.is(a, b) || a === b || Math.abs(a - b) <= relative * Math.abs(b) + absolute) return;
    faults++;
    const excess = Number.isFinite(a - b) ? Math.abs(a - b) / (relative * Math.abs(b) + absolute) : Infinity;
    if (excess > worst.excess) worst = { excess, text: `[${i}] ${a} instead of ${b}: ${excess} times the tolerance` };
  });
  return faults === 0 ? "" : `${faults} of ${expected.values.length} differ, the most ${worst.text}`;
}

/** As Biome formats it: a list on one line where it fits. */
function jsonOf(lists: Readonly<Record<string, readonly string[]>>): string {
  const entries = Object.keys(lists)
    .sort()
    .map((key) => {
      const items = (lists[key] ?? []).map((item) => JSON.stringify(item));
      const line = `  ${JSON.stringify(key)}: [${items.join(", ")}]`;
      return line.length < 120 ? line : `  ${JSON.stringify(key)}: [\n    ${items.join(",\n    ")}\n  ]`;
    });
  return `{\n${entries.join(",\n")}\n}\n`;
}

describe.skipIf(casesFolder === undefined)("the operator cases of ONNX", () => {
  test.each(caseNames.filter((name) => !refused.has(name)))("%s", async (name) => {
    const given = readCase(name);
    const found = await planOf(given);
    if (typeof found === "string") throw new Error(`${found}: neither run nor listed in unsupported.json`);
    const { relative, absolute } = toleranceOf(name, given.model);
    const check = (results: readonly HostArray[], scale: number, where: string): void => {
      expect(results.length).toBe(given.outputs.length);
      results.forEach((got, i) => {
        const difference = differenceOf(got, given.outputs[i] as OnnxTensor, relative * scale, absolute * scale);
        if (difference !== "") throw new Error(`${where}, output ${i}: ${difference}`);
      });
    };
    if (isDouble(given)) check(await run(double, found, true), 1e-7, "in double precision");
    check(await run(single, found, false), 1, "on the reference");
    check(await run(wasm, found, false), 1, "on wasm");
  });

  test("each that is listed as unsupported is refused, for the reason given", async () => {
    const reasons: Record<string, string[]> = {};
    for (const name of caseNames) {
      const found = await planOf(readCase(name)).catch(() => undefined);
      if (typeof found !== "string") continue;
      reasons[found] ??= [];
      reasons[found].push(name);
    }
    const file = join(import.meta.dirname, "unsupported.json");
    await expect(jsonOf(reasons)).toMatchFileSnapshot(file);
  });
});
