import { expect, test } from "vitest";
import { MemoryError } from "../../core/errors.ts";
import { HostArray } from "../../core/host-array.ts";
import type { Tensor } from "../../ops/tensor.ts";
import { traceProgram } from "../../trace/trace.ts";
import { wasmBackend } from "./index.ts";
import { Memory } from "./memory.ts";

test("freed regions join their neighbours and are handed out again", () => {
  const memory = new Memory(false);
  const [a, b, c] = [1000, 2000, 3000].map((bytes) => memory.allocate(bytes, "a test")) as [
    ReturnType<Memory["allocate"]>,
    ReturnType<Memory["allocate"]>,
    ReturnType<Memory["allocate"]>,
  ];
  expect(memory.used).toBe(a.bytes + b.bytes + c.bytes);
  memory.release(a);
  memory.release(b);
  const again = memory.allocate(2900, "a test");
  expect(again.offset).toBe(a.offset);
  memory.release(again);
  memory.release(c);
  expect(memory.used).toBe(0);
});

test("a step beyond the memory there is, is refused before it runs, with a batch that may fit", async () => {
  const backend = wasmBackend();
  const batch = 200_000;
  const program = traceProgram([{ path: "x", aval: { dtype: "f32", shape: [batch, 4096] }, role: "feed" }], ([x]) => [
    {
      path: "y",
      value: (x as Tensor)
        .matmul((x as Tensor).slice([0, 0], [4096, 4096]))
        .exp()
        .sum(),
      role: "result",
    },
  ]);
  const refused = await backend.compile(program, backend.createStore()).then(
    () => null,
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(MemoryError);
  expect(String(refused)).toMatch(/needs \d+\.\d MiB.*batch of 200000; try a batch of \d+\./);
  const tried = Number(/try a batch of (\d+)/.exec(String(refused))?.[1]);
  expect(tried).toBeGreaterThan(1_000);
  expect(tried).toBeLessThan(batch);
  await backend.close();
});

test("an array changed after it was written does not change the store", async () => {
  const backend = wasmBackend();
  const store = backend.createStore();
  const data = Float32Array.of(1, 2);
  store.write("state.w", new HostArray("f32", [2], data));
  data[0] = 7;
  const program = traceProgram([{ path: "state.w", aval: { dtype: "f32", shape: [2] }, role: "state" }], ([w]) => [
    { path: "y", value: (w as Tensor).mul(1), role: "result" },
  ]);
  const { results } = await (await backend.compile(program, store)).run(1, {});
  expect([...(results.y as Float32Array)]).toEqual([1, 2]);
  await backend.close();
});
