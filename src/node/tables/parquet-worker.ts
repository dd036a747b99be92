/** A thread that reads columns of a Parquet file, so that another can end it. */
import { parentPort, workerData } from "node:worker_threads";
import { reasonOf } from "../file-store.ts";
import { openColumns, type RowRange } from "./parquet-columns.ts";

export type Request = { readonly column: string; readonly range: RowRange };
export type Answer<T> = { readonly value: T } | { readonly reason: string };

/** Numbers are handed over, all else is copied. */
function post(answer: Answer<unknown>): void {
  const { value } = answer as { readonly value?: unknown };
  const isWhole = ArrayBuffer.isView(value) && value.byteLength === value.buffer.byteLength;
  parentPort?.postMessage(answer, isWhole ? [value.buffer as ArrayBuffer] : []);
}
const fail = (error: unknown): void => post({ reason: reasonOf(error) });

try {
  const { names, ranges, read } = await openColumns(workerData as string);
  parentPort?.on("message", ({ column, range }: Request) => {
    read(column, range).then((value) => post({ value }), fail);
  });
  post({ value: { names, ranges } });
} catch (error) {
  fail(error);
}
