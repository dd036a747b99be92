import { isBuiltin } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "vite";
import { expect, test } from "vitest";
import { root } from "../built.ts";

/**
 * Gzipped size of what a browser loads to use all of an entry, or of a page of our own, minified, in KiB; and of what it loads
 * beside when that is first used, such as checkpoints.
 */
const BUDGETS = [
  { entry: "src/index.ts", what: "core and the WebAssembly backend", maxGzipKib: 224, maxLazyKib: 33 },
  { entry: "src/index.web.ts", what: "the same with workers", maxGzipKib: 229, maxLazyKib: 33 },
  { entry: "test/package/one-page.ts", what: "a CNN trained with Adam", maxGzipKib: 103, maxLazyKib: 20 },
  { entry: "src/web/worker.ts", what: "a worker's own file", maxGzipKib: 3, maxLazyKib: 0 },
] as const;

type Bundle = { readonly gzipKib: number; readonly lazyKib: number; readonly nodeModules: string[] };

/** Bundles an entry for the browser; answers the code's size and the Node modules that it reached, with their importers. */
async function bundle(entry: string): Promise<Bundle> {
  const nodeModules: string[] = [];
  const watchForNode: Plugin = {
    name: "watch-for-node",
    enforce: "pre",
    resolveId(specifier, importer) {
      if (!isBuiltin(specifier)) return null;
      nodeModules.push(`${specifier}, imported by ${importer}`);
      return { id: specifier, external: true };
    },
  };
  const result = await build({
    root,
    configFile: false,
    logLevel: "error",
    plugins: [watchForNode],
    // Not Vite's library mode, which leaves the white space in.
    build: {
      write: false,
      target: "es2023",
      modulePreload: false,
      rolldownOptions: { input: join(root, entry), preserveEntrySignatures: "strict" },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((part) => ("output" in part ? part.output : []));
  const kib = (parts: typeof outputs): number =>
    parts.reduce((sum, part) => {
      const code = part.type === "chunk" ? part.code : part.source;
      return sum + gzipSync(code, { level: 9 }).length / 1024;
    }, 0);
  const atOnce = new Set(
    outputs.filter((part) => part.type !== "chunk" || part.isEntry).map(({ fileName }) => fileName),
  );
  for (const name of atOnce) {
    const part = outputs.find(({ fileName }) => fileName === name);
    if (part?.type === "chunk") for (const imported of part.imports) atOnce.add(imported);
  }
  const gzipKib = kib(outputs.filter(({ fileName }) => atOnce.has(fileName)));
  return { gzipKib, lazyKib: kib(outputs) - gzipKib, nodeModules };
}

test.each(BUDGETS)("$entry ($what) loads in a browser within $maxGzipKib KiB", async (budget) => {
  const { entry, maxGzipKib, maxLazyKib } = budget;
  const { gzipKib, lazyKib, nodeModules } = await bundle(entry);
  console.log(
    `${entry}: ${gzipKib.toFixed(1)} of ${maxGzipKib} KiB gzipped, and ${lazyKib.toFixed(1)} of ${maxLazyKib} when first used`,
  );
  expect(nodeModules).toEqual([]);
  expect(gzipKib).toBeGreaterThan(0.2);
  expect(gzipKib).toBeLessThanOrEqual(maxGzipKib);
  expect(lazyKib).toBeLessThanOrEqual(maxLazyKib);
});

test("a Node module in a bundle is noticed", async () => {
  const { nodeModules } = await bundle("test/package/needs-node.ts");
  expect(nodeModules).toHaveLength(1);
  expect(nodeModules[0]).toMatch(/^node:fs, imported by .*needs-node\.ts$/);
});
