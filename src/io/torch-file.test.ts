import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { array, HostArray } from "../core/host-array.ts";
import { decodeTorchFile, encodeTorchFile, type TorchValue } from "./torch-file.ts";

type Golden = {
  readonly cases: readonly { name: string; shape: readonly number[]; values: readonly number[]; file: string }[];
  readonly plain: string;
  readonly protocol4: string;
  readonly stateDict: string;
  readonly refused: Readonly<Record<string, string>>;
};
const golden: Golden = JSON.parse(readFileSync(new URL("../../golden/io/torch-files.json", import.meta.url), "utf8"));
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

test.each(golden.cases)("a tensor of torch.save is read: $name", async ({ name, shape, values, file }) => {
  const found = (await decodeTorchFile(bytesOf(file))) as HostArray;
  expect(found).toBeInstanceOf(HostArray);
  expect(found.shape).toEqual(shape);
  expect(Array.from(found.data)).toEqual(values);
  const dtype = { u8: "u8", bool: "bool" }[name] ?? (/^i\d/.test(name) ? "i32" : "f32");
  expect(found.dtype).toBe(dtype);
});

test.each(["plain", "protocol4"] as const)("plain data of torch.save is read: %s", async (which) => {
  expect(await decodeTorchFile(bytesOf(golden[which]))).toEqual(
    new Map<string, unknown>([
      ["text", "ü"],
      ["int", 7],
      ["negative", -300],
      ["large", 2 ** 40],
      ["float", 0.1],
      ["minus", -0],
      ["true", true],
      ["none", null],
      ["tuple", [1, [2, 3], [4, 5, 6], [7, 8, 9, 10]]],
      ["list", [1, [2], []]],
      [
        "dict",
        new Map<string | number, unknown>([
          [3, "three"],
          ["four", 4],
        ]),
      ],
      ["ordered", new Map([["a", 1]])],
    ]),
  );
});

test("a state dict is a map of arrays, in order", async () => {
  const found = (await decodeTorchFile(bytesOf(golden.stateDict))) as ReadonlyMap<string, HostArray>;
  expect([...found].map(([name, { dtype, shape }]) => `${name} ${dtype}[${shape}]`)).toEqual([
    "0.weight f32[3,2]",
    "0.bias f32[3]",
    "1.weight f32[3]",
    "1.bias f32[3]",
    "1.running_mean f32[3]",
    "1.running_var f32[3]",
    "1.num_batches_tracked i32[]",
  ]);
});

test.each([
  ["call", /holds "__builtin__\.print", which is not read: code of a file is never run/],
  ["model", /holds "torch\.nn\.modules\.container\.Sequential", which is not read/],
  ["large", /has a tensor with a value at index 0 that i32 cannot hold/],
  ["complex", /holds "torch\.ComplexFloatStorage", which is not read/],
  ["old", /is a bare pickle, as torch\.save wrote before PyTorch 1\.6/],
  ["pickle", /is a bare pickle/],
])("a file is refused by what it holds: %s", async (which, text) => {
  await expect(decodeTorchFile(bytesOf(golden.refused[which] ?? ""), "a.pt")).rejects.toThrow(text);
});

test("what is written comes back, counts of batches as int64, arrays that stand twice as one", async () => {
  const shared = array([[1, 2, 3]]);
  const tree = new Map<string | number, TorchValue>([
    [
      "state",
      new Map<string | number, TorchValue>([
        [0, new Map([["exp_avg", shared]])],
        [300, new Map([["exp_avg", shared]])],
      ]),
    ],
    ["bn.num_batches_tracked", new HostArray("i32", [], Int32Array.of(-5))],
    ["i", new HostArray("i32", [2], Int32Array.of(1, -2))],
    ["u", new HostArray("u8", [2], Uint8Array.of(1, 255))],
    ["b", new HostArray("bool", [2], Uint8Array.of(1, 0))],
    ["e", new HostArray("f32", [0, 3], new Float32Array(0))],
    ["numbers", [0, 255, 256, -1, 2 ** 40, -(2 ** 40), 0.5, -0, Number.POSITIVE_INFINITY]],
    ["flags", [true, false, null, "é"]],
    ["none", new Map()],
  ]);
  const file = encodeTorchFile(tree);
  const found = (await decodeTorchFile(file)) as ReadonlyMap<string, TorchValue>;
  expect(found).toEqual(tree);
  const state = found.get("state") as ReadonlyMap<number, ReadonlyMap<string, HostArray>>;
  expect(state.get(0)?.get("exp_avg")).toBe(state.get(300)?.get("exp_avg"));
  const text = new TextDecoder("latin1").decode(file);
  expect(text.match(/archive\/data\/\d/g)).toHaveLength(2 * 6);
  expect(text).toContain("torch\nLongStorage\n");
});

test("numbers of tensors begin at multiples of 64 bytes, as PyTorch's", () => {
  const file = encodeTorchFile({ a: array([1]), b: array([2, 3]) });
  const view = new DataView(file.buffer);
  const starts: number[] = [];
  for (let at = 0; view.getUint32(at, true) === 0x04034b50; ) {
    const start = at + 30 + view.getUint16(at + 26, true) + view.getUint16(at + 28, true);
    starts.push(start % 64);
    at = start + view.getUint32(at + 18, true);
  }
  expect(starts).toEqual([0, 0, 0, 0, 0]);
});

test("objects of classes and data without an end are refused when written", () => {
  expect(() => encodeTorchFile({ a: new Date() as never })).toThrow("torch: got an object of a class; expected arrays");
  expect(() => encodeTorchFile({ a: undefined as never })).toThrow("torch: got a undefined; expected arrays");
});

test("every part of a file and every changed byte gives a value or a DataError that says where", async () => {
  const files = [
    encodeTorchFile({ a: array([1, 2, 3]), b: [1, "x", new HostArray("i32", [2], Int32Array.of(1, 2))] }),
    bytesOf(golden.stateDict),
  ];
  let refused = 0;
  const decode = async (bytes: Uint8Array): Promise<void> => {
    try {
      await decodeTorchFile(bytes, "file");
    } catch (error) {
      refused++;
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).where).toMatch(/^file.*byte \d+/);
    }
  };
  for (const file of files) {
    for (let length = 0; length < file.length; length += 3) await decode(file.slice(0, length));
    for (let at = 0; at < file.length; at++) {
      const changed = file.slice();
      changed[at] = (changed[at] as number) ^ 0x5a;
      await decode(changed);
    }
  }
  expect(refused).toBeGreaterThan(500);
});
