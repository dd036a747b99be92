import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BrowserContext, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as node from "../../src/index.node.ts";
import type { StorageKind } from "../../src/index.web.ts";
import { requireBuilt, root } from "../built.ts";
import { MemorySink, timeless } from "../memory-sink.ts";
import { findChromium, openProfile } from "./chromium.ts";
import {
  damageNewest,
  digest,
  exported,
  type Kept,
  type Place,
  rawFiles,
  type Session,
  stayInWrite,
  testKept,
  trainKept,
  trainOn,
} from "./run-scenarios.ts";
import type { Scenario } from "./scenarios.ts";
import { type Server, serve } from "./serve.ts";

const chromium = findChromium();
if (chromium === undefined)
  console.log("Skipped: runs that outlive their page. No Chromium is on the path; CHROMIUM_PATH may name one.");

const STORAGES: readonly [StorageKind, Scenario][] = [
  ["opfs", "cnn"],
  ["indexeddb", "mlp"],
];
const KILLS = 6;

describe.skipIf(chromium === undefined)("a run that outlives its page", () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-runs-"));
  const profile = join(folder, "profile");
  let context: BrowserContext;
  let server: Server;
  let lastRun = 0;
  const whole = new Map<StorageKind, Kept>();

  beforeAll(async () => {
    requireBuilt();
    // A few files instead of hundreds: the tests load many pages.
    await build({
      root: folder,
      base: "/bundle/",
      configFile: false,
      logLevel: "error",
      build: {
        outDir: join(folder, "bundle"),
        target: "es2023",
        minify: false,
        modulePreload: false,
        rolldownOptions: {
          input: join(root, "dist/index.web.js"),
          preserveEntrySignatures: "strict",
          output: { entryFileNames: "index.web.js" },
        },
      },
    });
    server = await startServer();
    context = await openProfile(chromium ?? "", profile);
    for (const [storage, which] of STORAGES) {
      const { page, train } = await visit();
      whole.set(storage, await train({ name: "whole", storage, which }));
      await page.close();
    }
  });
  afterEach(async () => {
    for (const page of context.pages().slice(1)) await page.close();
  });
  afterAll(async () => {
    await context?.close();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const startServer = (): Promise<Server> =>
    serve({ folders: { bundle: join(folder, "bundle"), test: join(root, "test") }, isolated: true });

  /** A page and what can be done in it. */
  async function visit(address = server.address) {
    const page = await context.newPage();
    await page.goto(address);
    const modules = ["/bundle/index.web.js", "/test/browser/run-scenarios.ts"].map((path) => `import("${path}")`);
    const run = <T>(expression: string): Promise<T> =>
      page.evaluate<T>(`Promise.all([${modules}]).then(([downhill, scenarios]) => ${expression})`);
    const train = (session: Session): Promise<Kept> =>
      run(`scenarios.${trainKept.name}(downhill, ${JSON.stringify(session)})`);
    const reaches = (state: typeof globalThis.trainingState) =>
      page.waitForFunction(`globalThis.trainingState === ${JSON.stringify(state)}`, undefined, { polling: 5 });
    return { page, run, train, reaches };
  }

  const newRun = (storage: StorageKind): Place => ({ name: `run ${++lastRun}`, storage });

  const KILLERS: readonly ((page: Page) => Promise<unknown>)[] = [
    (page) => page.close(),
    async (page) => {
      const session = await context.newCDPSession(page);
      const gone = new Promise((resolve) => page.once("crash", resolve));
      session.send("Page.crash").catch(() => undefined);
      await gone;
    },
  ];

  /** That this is the uninterrupted training's end: weights, record and what is kept. */
  function expectWhole(found: Kept, storage: StorageKind): void {
    const { weights, history, events, checkpoints } = whole.get(storage) as Kept;
    expect([found.weights, found.keptWeights]).toEqual([weights, weights]);
    expect(timeless(found.history as never)).toEqual(timeless(history as never));
    expect(timeless(found.events)).toEqual(timeless(events));
    expect(found.checkpoints).toEqual(checkpoints);
  }

  test.each(STORAGES)("in %s a %s records all of its training", (storage) => {
    const { events, history, checkpoints, weights, keptWeights } = whole.get(storage) as Kept;
    const steps = events.flatMap((event) => (event.type === "step" ? event.step : []));
    expect(steps).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(events.filter(({ type }) => type === "epoch")).toEqual(history);
    expect(keptWeights).toBe(weights);
    expect(checkpoints).toHaveLength(3);
    expect(checkpoints.slice(1)).toEqual(["step-00000039.safetensors", "step-00000040.safetensors"]);
  });

  test.each(STORAGES)(`in %s a %s whose page is killed ${KILLS} times and more ends alike`, async (storage, which) => {
    const killedAt: string[] = [];
    while (killedAt.length < KILLS) {
      const session = { ...newRun(storage), which, pauseMs: 5 };
      for (;;) {
        const { page, train, reaches } = await visit();
        let ended: Kept | undefined;
        const training = train(session).then(
          (kept) => {
            ended = kept;
          },
          (error: unknown) => error,
        );
        const state = killedAt.length % 3 === 0 ? "opened" : "stepping";
        await Promise.race([training, reaches(state).catch(() => undefined)]);
        const afterMs = Math.round(Math.random() * (state === "opened" ? 300 : 500));
        const error = await Promise.race([training, new Promise((resolve) => setTimeout(resolve, afterMs))]);
        if (error !== undefined) throw error;
        if (ended !== undefined) {
          expectWhole(ended, storage);
          break;
        }
        await KILLERS[killedAt.length % KILLERS.length]?.(page);
        killedAt.push(`${afterMs} ms after ${state}`);
      }
    }
    console.log(`${storage}: killed ${killedAt.join(", ")}; nothing lost`);
  });

  test.each(STORAGES)("in %s a %s whose page dies in the middle of a write ends alike", async (storage, which) => {
    const session = { ...newRun(storage), which };
    const moments: [string, number][] = [
      ["step-", 2],
      ["events-", 3],
      ["model", 2],
      ["step-", 4],
    ];
    for (const [i, [file, nth]] of moments.entries()) {
      const { page, run, train, reaches } = await visit();
      await run(`scenarios.${stayInWrite.name}("${file}", ${nth})`);
      train(session).catch(() => undefined);
      await reaches("writing");
      await KILLERS[i % 2]?.(page);
    }
    const { train } = await visit();
    const found = await train(session);
    expect(found.resumedAt).toBeGreaterThan(0);
    expect(found.damaged).toEqual([]);
    expectWhole(found, storage);
  });

  test.each(STORAGES)(
    "in %s a damaged checkpoint of a %s is named, and the one before used",
    async (storage, which) => {
      const { run, train } = await visit();
      const session = { ...newRun(storage), which };
      const { checkpoints } = await train({ ...session, stopAt: 20 });
      const newest = await run<string>(`scenarios.${damageNewest.name}(downhill, ${JSON.stringify(session)})`);
      expect(newest).toBe(checkpoints.at(-1));
      const found = await train(session);
      expect(found.damaged).toEqual([expect.stringMatching(`^checkpoint: ${newest} is damaged: `)]);
      expect(`step-${String(found.resumedAt).padStart(8, "0")}.safetensors`).toBe(checkpoints.at(-2));
      expectWhole(found, storage);
    },
  );

  test.each(STORAGES)("in %s a second page is refused until the first is gone", async (storage, which) => {
    const session = { ...newRun(storage), which };
    const [first, second] = [await visit(), await visit()];
    first.train({ ...session, pauseMs: 50 }).catch(() => undefined);
    await first.reaches("stepping");
    const seen = timeless(
      await second.run(`downhill.openRun("${session.name}", { storage: "${storage}" }).then((run) => run.events())`),
    );
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual(timeless(whole.get(storage)?.events.slice(0, seen.length) ?? []));
    const refused = `run: ${storage}:${session.name} is being trained by another page, worker or call; expected one at a time.`;
    await expect(second.train(session)).rejects.toThrow(refused);
    const remove = `downhill.openRun("${session.name}", { storage: "${storage}" }).then((run) => run.remove())`;
    await expect(second.run(remove)).rejects.toThrow(refused);
    await first.page.close();
    const found = await second.train(session);
    expect(found.resumedAt).toBeGreaterThanOrEqual(0);
    expectWhole(found, storage);
  });

  test.each(STORAGES)("in %s a %s stops where there is no room, and goes on when there is", async (storage, which) => {
    // An origin of its own: a browser does not ask for each write how much room there is.
    const own = await startServer();
    const { page, run, train } = await visit(own.address);
    const session = { ...newRun(storage), which };
    const devtools = await context.newCDPSession(page);
    const allow = (quotaSize?: number): Promise<unknown> =>
      devtools.send("Storage.overrideQuotaForOrigin", {
        origin: own.address,
        ...(quotaSize === undefined ? {} : { quotaSize }),
      });
    await allow(storage === "opfs" ? 45_000 : 400_000);
    await expect(train(session)).rejects.toThrow(
      /DataError: run: cannot write (opfs|indexeddb):run \d+\/[\w.-]+: the browser gives no more room; this origin uses \d+\.\d MiB\. What was written before is kept\. Hint: /,
    );
    const left = await run<string[]>(
      `downhill.openRun("${session.name}", { storage: "${storage}" }).then(({ checkpoints }) => checkpoints.list())`,
    );
    expect(left.length).toBeGreaterThan(0);
    await allow();
    const found = await train(session);
    expect(found.damaged).toEqual([]);
    expect(`step-${String(found.resumedAt).padStart(8, "0")}.safetensors`).toBe([...left].sort().at(-1));
    expectWhole(found, storage);
    own.close();
  });

  test("a worker of the page's own may be ended at any moment", async () => {
    const { page, train } = await visit();
    const session = { ...newRun("opfs"), which: "cnn" } as const;
    for (let i = 0; i < 2; i++)
      await page.evaluate(`new Promise((resolve, reject) => {
        const code = \`
          import * as downhill from "\${origin}/bundle/index.web.js";
          import { ${trainKept.name} } from "\${origin}/test/browser/run-scenarios.ts";
          setInterval(() => postMessage(globalThis.trainingState), 20);
          ${trainKept.name}(downhill, ${JSON.stringify({ ...session, pauseMs: 60 })}).then(() => postMessage("ended"), ({ message }) => postMessage(message));\`;
        const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
        worker.onerror = ({ message }) => reject(new Error(message));
        worker.onmessage = ({ data }) => {
          if (data === "stepping") setTimeout(() => resolve(worker.terminate()), 400);
          else if (data !== undefined && data !== "opened") reject(new Error(data));
        };
      })`);
    const found = await train(session);
    expect(found.resumedAt).toBeGreaterThanOrEqual(0);
    expectWhole(found, session.storage);
  });

  test.each(STORAGES)("what a page left in %s, Node goes on with, bit for bit", async (storage, which) => {
    const { run, train } = await visit();
    const session = { ...newRun(storage), which };
    const { events } = await train({ ...session, stopAt: 20 });
    const files = await run<Record<string, string>>(`scenarios.${exported.name}(downhill, ${JSON.stringify(session)})`);
    const sink = new MemorySink();
    sink.resumes = true;
    sink.log = [...events];
    for (const [name, text] of Object.entries(files)) sink.files.set(name, Buffer.from(text, "latin1"));
    let resumedAt = 0;
    const found = await trainOn(node, session, sink, {
      name: "watch",
      on(event) {
        if (event.type === "resume") resumedAt = event.step;
      },
    });
    expect(resumedAt).toBeGreaterThanOrEqual(20);
    const { weights, history } = whole.get(storage) as Kept;
    expect(await digest(await found.toBytes())).toBe(weights);
    await found.close();
    expect(timeless(found.history)).toEqual(timeless(history));
  });

  test("a browser that crashes loses nothing in either storage", async () => {
    const sessions = STORAGES.map(([storage, which]) => ({ ...newRun(storage), which }));
    for (const session of sessions) {
      const { train, reaches } = await visit();
      train({ ...session, pauseMs: 30 }).catch(() => undefined);
      await reaches("stepping");
    }
    const { run, train, reaches } = await visit();
    const third = { ...newRun("opfs"), which: "mlp" } as const;
    await run(`scenarios.${stayInWrite.name}("step-", 3)`);
    train(third).catch(() => undefined);
    await reaches("writing");
    const gone = new Promise((resolve) => context.once("close", resolve));
    const devtools = await context.newCDPSession((await visit()).page);
    devtools.send("Browser.crash").catch(() => undefined);
    await gone;
    context = await openProfile(chromium ?? "", profile);
    for (const session of sessions) {
      const found = await (await visit()).train(session);
      expect(found.resumedAt).toBeGreaterThanOrEqual(0);
      expectWhole(found, session.storage);
    }
    const after = await visit();
    const files = (): Promise<Readonly<Record<string, number>>> =>
      after.run(`scenarios.${rawFiles.name}("${third.name}")`);
    expect(Object.keys(await files())).toContainEqual(expect.stringMatching(/\.crswap$/));
    await after.train(third);
    const left = await files();
    expect(Object.keys(left)).not.toContainEqual(expect.stringMatching(/\.crswap$/));
    expect(Object.values(left)).not.toContain(0);
  });

  test("runs are listed, found where they are, and removed", async () => {
    const own = await startServer();
    const { run, train } = await visit(own.address);
    await train({ name: "in a database", storage: "indexeddb", which: "mlp", stopAt: 1 });
    await train({ name: "in files", storage: "opfs", which: "mlp", stopAt: 1 });
    expect(await run("downhill.listRuns()")).toEqual([
      { name: "in a database", storage: "indexeddb" },
      { name: "in files", storage: "opfs" },
    ]);
    const place = (name: string): Promise<string> => run(`downhill.openRun("${name}").then(({ storage }) => storage)`);
    expect([await place("in a database"), await place("in files"), await place("new")]).toEqual([
      "indexeddb",
      "opfs",
      "indexeddb",
    ]);
    await run(`downhill.openRun("in a database").then((run) => run.remove())`);
    await run(`downhill.openRun("in files").then((run) => run.remove())`);
    expect(await run("downhill.listRuns()")).toEqual([]);
    own.close();
  });

  test("a test's result is recorded after the training's end, and the kept model predicts as the run does", async () => {
    const { run } = await visit();
    const session = JSON.stringify({ ...newRun("opfs"), which: "cnn" });
    const { last, alike } = await run<{ last: unknown; alike: boolean }>(
      `scenarios.${testKept.name}(downhill, ${session})`,
    );
    expect(last).toEqual([
      { type: "end", reason: "done", step: 40, timeMs: expect.any(Number) },
      { type: "test", metrics: { loss: expect.any(Number), accuracy: expect.any(Number) }, timeMs: expect.any(Number) },
    ]);
    expect(alike).toBe(true);
  });

  test("a page that is no secure context is told what it lacks", async () => {
    const page = await context.newPage();
    const address = "http://insecure.example";
    await page.route(`${address}/**`, async (route) => {
      const response = await route.fetch({ url: route.request().url().replace(address, server.address) });
      await route.fulfill({ response });
    });
    await page.goto(`${address}/`);
    const attempt = (expression: string): Promise<string> =>
      page.evaluate<string>(
        `Promise.all([import("/bundle/index.web.js"), import("/test/browser/run-scenarios.ts")])
          .then(([downhill, scenarios]) => ${expression}).then((value) => JSON.stringify(value), ({ name, message }) => name + ": " + message)`,
      );
    expect(await attempt(`downhill.openRun("digits", { storage: "opfs" })`)).toBe(
      'OptionError: storage: got "opfs" and a page that is no secure context (https, or http from localhost); expected a private file system. Hint: storage: "indexeddb".',
    );
    expect(await attempt(`downhill.openRun("digits").then(({ storage }) => storage)`)).toBe('"indexeddb"');
    expect(await attempt(`scenarios.trainKept(downhill, { name: "digits", storage: "indexeddb", which: "mlp" })`)).toBe(
      "OptionError: run: indexeddb:digits cannot be locked against a second page, as this one is no secure context (https, or http from localhost); expected one.",
    );
    expect(await attempt("downhill.listRuns()")).toBe("[]");
  });

  test("names that no folder can have are refused", async () => {
    const { run } = await visit();
    for (const name of ["", ".", "..", "a/b", "a\\b", "a\n", "x".repeat(101)])
      await expect(run(`downhill.openRun(${JSON.stringify(name)})`)).rejects.toThrow(
        /OptionError: openRun: got the name ".*"; expected 1 to 100 characters/,
      );
  });
});
