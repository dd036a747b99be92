/** What the tests of runs that outlive their page do in the browser. All else comes in as `downhill`. */
import type * as Downhill from "../../src/index.web.ts";
import { type Library, type Scenario, scenario } from "./scenarios.ts";

type Web = typeof Downhill;
export type Place = { readonly name: string; readonly storage: Downhill.StorageKind };

export type Session = Place & {
  readonly which: Scenario;
  /** Waits so long at each step's event, so that the page can be killed in the middle. */
  readonly pauseMs?: number;
  /** Stops after this step. */
  readonly stopAt?: number;
};

export type Kept = {
  /** SHA-256 of the model that the training gave, and of the one that was kept. */
  readonly weights: string;
  readonly keptWeights: string;
  readonly history: readonly Downhill.TrainEvent[];
  readonly events: readonly Downhill.TrainEvent[];
  readonly checkpoints: readonly string[];
  /** The step after which this session went on, and what it could not read. */
  readonly resumedAt: number | undefined;
  readonly damaged: readonly string[];
};

/** For the tests to wait for. */
declare global {
  var trainingState: "opened" | "stepping" | "writing" | undefined;
}

/** The training itself, in Node too. */
export function trainOn(
  downhill: Library,
  { which }: Pick<Session, "which">,
  sink: Downhill.RunSink,
  watch: Downhill.Callback,
  signal?: AbortSignal,
): PromiseLike<Downhill.Run<Downhill.HostArray, Downhill.HostArray>> {
  const { model, options } = scenario(downhill, which);
  return downhill.fit(model, {
    ...options,
    epochs: 4,
    threads: 2,
    sink,
    checkpoint: { everySteps: 3, everyEpochs: 1, last: 2, best: 1 },
    callbacks: [watch],
    ...(signal && { signal }),
  });
}

/** Starts the training that a run keeps, or goes on with it, and trains to the end. */
export async function trainKept(downhill: Web, session: Session): Promise<Kept> {
  const { name, storage, pauseMs = 0, stopAt = Infinity } = session;
  const kept = await downhill.openRun(name, { storage });
  const stopping = new AbortController();
  let resumedAt: number | undefined;
  let damaged: readonly string[] = [];
  const watch: Downhill.Callback = {
    name: "watch",
    async on(event) {
      if (event.type === "resume") ({ step: resumedAt, damaged } = event);
      if (event.type !== "step") return;
      if (globalThis.trainingState !== "writing") globalThis.trainingState = "stepping";
      if (event.step >= stopAt) stopping.abort();
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    },
  };
  globalThis.trainingState = "opened";
  const run = await trainOn(downhill, session, kept.sink, watch, stopping.signal);
  const weights = await digest(await run.toBytes());
  await run.close();
  return {
    weights,
    keptWeights: await digest((await kept.model()) ?? new Uint8Array()),
    history: run.history,
    events: await kept.events(),
    checkpoints: [...(await kept.checkpoints.list())].sort(),
    resumedAt,
    damaged,
  };
}

/** Trains and tests. Answers the last events, and whether the kept model predicts as the run does. */
export async function testKept(downhill: Web, { name, storage, which }: Session) {
  const { model, options } = scenario(downhill, which);
  const kept = await downhill.openRun(name, { storage });
  const run = await downhill.fit(model, { ...options, epochs: 4, sink: kept.sink });
  await run.test(options.train);
  const last = (await kept.events()).slice(-2);
  const loaded = await downhill.load((await kept.model()) ?? new Uint8Array());
  const [found, expected] = [await loaded.predict(options.train.inputs), await run.predict(options.train.inputs)];
  await run.close();
  await loaded.close();
  return { last, alike: JSON.stringify(found) === JSON.stringify(expected) };
}

/** The page stays in the middle of the `nth` write of such a file: the bytes are under way, and nothing says that they are all. */
export function stayInWrite(prefix: string, nth: number): void {
  let writes = 0;
  const stays = (name: string): boolean => name.startsWith(prefix) && ++writes >= nth;
  const { createWritable } = FileSystemFileHandle.prototype;
  FileSystemFileHandle.prototype.createWritable = async function (options) {
    const stream = await createWritable.call(this, options);
    if (stays(this.name))
      stream.close = () => {
        globalThis.trainingState = "writing";
        return new Promise(() => undefined);
      };
    return stream;
  };
  const { put } = IDBObjectStore.prototype;
  IDBObjectStore.prototype.put = function (value, key) {
    const request = put.call(this, value, key);
    if (stays((key as [string, string])[1])) {
      globalThis.trainingState = "writing";
      // A transaction goes on as long as its requests are followed by others.
      const again = (): void => {
        this.get(0).onsuccess = again;
      };
      again();
    }
    return request;
  };
}

/** Names and sizes of all files that the private file system has for a run, whoever made them. */
export async function rawFiles(name: string): Promise<Readonly<Record<string, number>>> {
  const root = await navigator.storage.getDirectory();
  const folder = await (await root.getDirectoryHandle("downhill-runs")).getDirectoryHandle(name);
  const found: Record<string, number> = {};
  for await (const [file, handle] of folder.entries())
    found[file] = (await (handle as FileSystemFileHandle).getFile()).size;
  return found;
}

/** What a page leaves, as text that another host reads. */
export async function exported({ openRun }: Web, { name, storage }: Place): Promise<Record<string, string>> {
  const { checkpoints } = await openRun(name, { storage });
  const files: Record<string, string> = {};
  for (const file of await checkpoints.list()) {
    const bytes = await checkpoints.read(file);
    files[file] = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  }
  return files;
}

/** Changes a byte of the newest checkpoint where it is stored. Answers its name. */
export async function damageNewest({ openRun }: Web, { name, storage }: Place): Promise<string> {
  const { checkpoints } = await openRun(name, { storage });
  const newest = [...(await checkpoints.list())].sort().at(-1) ?? "";
  const bytes = await checkpoints.read(newest);
  bytes[bytes.length - 9] = (bytes[bytes.length - 9] as number) ^ 4;
  await checkpoints.write(newest, bytes);
  return newest;
}

export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
