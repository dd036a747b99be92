import { existsSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import type { ParquetColumns } from "./parquet-columns.ts";
import type { Answer, Request } from "./parquet-worker.ts";

/** Beside the bundle. Sources and programs in one file of their own have none. */
const THREAD = new URL("./parquet-worker.js", import.meta.url);
/** What reading a column may take: so long, and as much more as the slowest disk needs for the file. */
const SECONDS = 8;
const BYTES_PER_SECOND = 2 ** 20;

export type GuardedColumns = ParquetColumns & { readonly close: () => Promise<void> };

/**
 * A Parquet file's columns, read by a thread of their own that is ended where it takes far too long or too much memory: a damaged
 * length may ask for billions of values. Where there is no such thread, they are read here.
 *
 * Errors: as `openColumns`; Error with the reason where the thread was ended.
 */
export async function openGuarded(path: string): Promise<GuardedColumns> {
  if (!existsSync(fileURLToPath(THREAD))) {
    const { openColumns } = await import("./parquet-columns.ts");
    return { ...(await openColumns(path)), close: async () => {} };
  }
  const seconds = SECONDS + Math.ceil(statSync(path).size / BYTES_PER_SECOND);
  const thread = new Worker(THREAD, { workerData: path });
  const close = async (): Promise<void> => void (await thread.terminate());
  const answer = <T>(what: string, request?: Request): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer);
        clearImmediate(late);
        thread.off("message", onMessage).off("error", onError);
        act();
      };
      const onMessage = (message: Answer<T>): void =>
        end(() => ("value" in message ? resolve(message.value) : reject(new Error(message.reason))));
      const onError = (error: Error): void => end(() => reject(new Error(`${what} cannot be read: ${error.message}`)));
      // An answer that waits for this thread to be free comes before what is immediate.
      let late: NodeJS.Immediate | undefined;
      const timer = setTimeout(() => {
        late = setImmediate(() =>
          end(() => reject(new Error(`${what} takes more than ${seconds} seconds, so it must be damaged`))),
        );
      }, seconds * 1000).unref();
      thread.on("message", onMessage).on("error", onError);
      if (request !== undefined) thread.postMessage(request);
    });
  const orClose = async <T>(result: Promise<T>): Promise<T> =>
    result.catch(async (error: unknown) => {
      await close();
      throw error;
    });
  const { names, ranges } = await orClose(answer<Pick<ParquetColumns, "names" | "ranges">>("its description"));
  return {
    names,
    ranges,
    read: (column, range) =>
      orClose(answer(`column ${column} of rows ${range.rowStart + 1} to ${range.rowEnd}`, { column, range })),
    close,
  };
}
