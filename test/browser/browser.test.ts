import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as downhill from "../../src/index.node.ts";
import { requireBuilt, root } from "../built.ts";
import { findChromium, launchChromium } from "./chromium.ts";
import { isFused, type Outcome, predict, type Scenario, train } from "./scenarios.ts";
import { type ServeOptions, type Server, serve } from "./serve.ts";

const chromium = findChromium();
if (chromium === undefined)
  console.log("Skipped: the tests in Chromium. None is on the path; CHROMIUM_PATH may name one.");

const SCENARIOS: readonly Scenario[] = ["mlp", "cnn"];
const NO_BLOBS = "default-src 'none'; connect-src 'self'; worker-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

describe.skipIf(chromium === undefined)("in Chromium", () => {
  const folder = mkdtempSync(join(tmpdir(), "downhill-browser-"));
  let browser: Browser | undefined;
  let open: { close(): unknown }[] = [];

  beforeAll(async () => {
    requireBuilt();
    browser = await launchChromium(chromium ?? "");
  });
  afterEach(async () => {
    for (const each of open) await each.close();
    open = [];
  });
  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A page of a server, what its console says, and a way to run an expression over the entry and the scenarios in it. */
  async function visit(options: Omit<ServeOptions, "folders">) {
    const folders = { dist: join(root, "dist"), test: join(root, "test"), files: folder };
    const server: Server = await serve({ folders, ...options });
    const page = (await browser?.newPage()) as Page;
    const said: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    open.push(page, server);
    await page.goto(server.address);
    const modules = ["/dist/index.web.js", "/test/browser/scenarios.ts"].map((path) => `import("${path}")`);
    const run = <T>(expression: string): Promise<T> =>
      page.evaluate<T>(`Promise.all([${modules}]).then(([downhill, scenarios]) => ${expression})`);
    return { page, said, run };
  }

  test.each(SCENARIOS)("a %s trained on workers has the weights that Node gives it, bit for bit", async (which) => {
    const { run, said } = await visit({ isolated: true });
    const inNode = [await train(downhill, which, { threads: 1 }), await train(downhill, which, { threads: 2 })];
    const found = [1, 2, 3].map(
      async (threads) => await run<Outcome>(`scenarios.train(downhill, "${which}", { threads: ${threads} })`),
    );
    expect(inNode[1]).toEqual(inNode[0]);
    expect(await Promise.all(found)).toEqual([inNode[0], inNode[0], inNode[0]]);
    expect(said).toEqual([]);
  });

  test("without isolation the calling thread computes the same bits, and the console says why once", async () => {
    const { run, said } = await visit({ isolated: false });
    for (const which of SCENARIOS)
      expect(await run(`scenarios.train(downhill, "${which}", { threads: 2 })`)).toEqual(
        await train(downhill, which, { threads: 1 }),
      );
    expect(said).toEqual([
      "downhill computes on the calling thread: this page is not cross-origin isolated (headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp).",
    ]);
  });

  test("the number of workers can be read, and why there are none", async () => {
    const read = "(({ workers, reason }) => ({ workers, reason }))(downhill.webBackend({ threads: 3 }))";
    const isolated = await visit({ isolated: true });
    expect(await isolated.run(read)).toEqual({ workers: 3, reason: undefined });
    const plain = await visit({ isolated: false });
    expect(await plain.run(read)).toEqual({ workers: 0, reason: expect.stringMatching(/not cross-origin isolated/) });
  });

  test.each([true, false])("a run saved by Node predicts as it does there (isolated: %s)", async (isolated) => {
    const { run } = await visit({ isolated });
    for (const which of SCENARIOS) {
      const { place = "" } = await train(downhill, which, { threads: 1, out: folder });
      const inNode = await predict(downhill, which, place);
      expect(inNode).toHaveLength(76);
      expect(await run(`scenarios.predict(downhill, "${which}", "/files${place.slice(folder.length)}")`)).toEqual(
        inNode,
      );
    }
  });

  test("a step of the user's own runs on workers and is read back", async () => {
    const { run } = await visit({ isolated: true });
    const doubled = `downhill.compile(
      (state, batch) => ({ state: { w: state.w.add(batch.x) }, metrics: { sum: state.w.sum() } }),
      { state: { w: downhill.array([1, 2, 3]) }, batch: { x: downhill.array([1, 1, 1]) } },
    ).then(async (step) => {
      const { results } = await step.run({ x: downhill.array([10, 20, 30]) });
      return { sum: [...results.sum], w: [...(await step.read()).w.data] };
    })`;
    expect(await run(doubled)).toEqual({ sum: [6], w: [11, 22, 33] });
  });

  test.each([true, false])("a worker of the page's own trains as the page does (isolated: %s)", async (isolated) => {
    const { page } = await visit({ isolated });
    const outcome = await page.evaluate(`new Promise((resolve) => {
      const code = \`
        import * as downhill from "\${origin}/dist/index.web.js";
        import { train } from "\${origin}/test/browser/scenarios.ts";
        postMessage({ workers: downhill.webBackend({ threads: 2 }).workers, ...await train(downhill, "cnn") });\`;
      const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => resolve(message);
    })`);
    expect(outcome).toEqual({ workers: isolated ? 2 : 0, ...(await train(downhill, "cnn")) });
  });

  test("a training that fails leaves no worker behind", async () => {
    const { page, run } = await visit({ isolated: true });
    const failing = `scenarios.train(downhill, "mlp", {
      threads: 3,
      callbacks: [{ name: "fails", on({ type }) { if (type === "step") throw new Error("no more"); } }],
    }).then(() => "none", ({ message }) => message)`;
    expect(await run(failing)).toBe('callback fails: threw at the event "step" of step 1: no more');
    await expect.poll(() => page.workers().length).toBe(0);
    expect(await run("downhill.webBackend({ threads: 3 }).workers")).toBe(3);
    await expect.poll(() => page.workers().length).toBe(3);
  });

  test.each([true, false])("the mode reaches the compiler (isolated: %s)", async (isolated) => {
    const { run } = await visit({ isolated });
    expect(await run(`scenarios.${isFused.name}(downhill, "reproducible")`)).toBe(false);
    expect(await run(`scenarios.${isFused.name}(downhill, "fast")`)).toBe(true);
  });

  describe("under a policy that forbids blob: workers", () => {
    test("training fails with what to do about it", async () => {
      const { run } = await visit({ isolated: true, policy: NO_BLOBS });
      const failure = `scenarios.train(downhill, "mlp").then(() => "none", ({ name, message }) => name + ": " + message)`;
      expect(await run(failure)).toMatch(
        /^TrainingError: worker: a blob: worker could not be started\. Hint: .*worker-src blob:.*`worker`.*wasmBackend/,
      );
    });

    test("the calling thread trains when asked to", async () => {
      const { run } = await visit({ isolated: true, policy: NO_BLOBS });
      expect(await run(`scenarios.train(downhill, "mlp", { backend: downhill.wasmBackend() })`)).toEqual(
        await train(downhill, "mlp", { threads: 1 }),
      );
    });

    test("the package's own file of a worker trains", async () => {
      const { run } = await visit({ isolated: true, policy: NO_BLOBS });
      const worker = `() => new Worker("/dist/web/worker.js", { type: "module" })`;
      expect(await run(`scenarios.train(downhill, "cnn", { threads: 2, worker: ${worker} })`)).toEqual(
        await train(downhill, "cnn", { threads: 1 }),
      );
    });

    test("a worker's file that is not there is named as the reason", async () => {
      const { run } = await visit({ isolated: true, policy: NO_BLOBS });
      const worker = `() => new Worker("/dist/gone.js", { type: "module" })`;
      const failure = `scenarios.train(downhill, "mlp", { worker: ${worker} }).then(() => "none", ({ message }) => message)`;
      expect(await run(failure)).toMatch(/^worker: its file could not be loaded\. Hint: check its address/);
    });
  });

  test("a minified bundle trains on workers from its own text and from a file of their own", async () => {
    const result = await build({
      root: join(root, "test/browser/bundled"),
      base: "/files/bundle/",
      configFile: false,
      logLevel: "error",
      worker: { format: "es" },
      build: {
        outDir: join(folder, "bundle"),
        emptyOutDir: true,
        target: "es2023",
        modulePreload: false,
        rolldownOptions: { input: join(root, "test/browser/bundled/page.js"), output: { entryFileNames: "page.js" } },
      },
    });
    expect(result).toBeDefined();
    for (const policy of ["script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:", NO_BLOBS]) {
      const { page } = await visit({ isolated: true, policy });
      const way = policy === NO_BLOBS ? "fromFile" : "fromText";
      const found = await page.evaluate(`import("/files/bundle/page.js").then(() => globalThis.${way}("cnn"))`);
      expect(found).toEqual(await train(downhill, "cnn", { threads: 1 }));
    }
  });
});
