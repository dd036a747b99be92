import { isBuiltin } from "node:module";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, type Plugin } from "vite";
import { expect, test } from "vitest";
import { root } from "../built.ts";

/** Gzipped size of what a browser loads to use all of an entry, or of a page of our own, minified, in KiB. */
const BUDGETS = [
  { entry: "src/index.ts", what: "core and the WebAssembly backend", maxGzipKib: 195 },
  { entry: "src/index.web.ts", what: "the same with workers", maxGzipKib: 196 },
  { entry: "test/package/one-page.ts", what: "a CNN trained with Adam", maxGzipKib: 96 },
  { entry: "src/web/worker.ts", what: "a worker's own file", maxGzipKib: 3 },
] as const;

/** Bundles an entry for the browser; answers the code's size and the Node modules that it reached, with their importers. */
async function bundle(entry: string): Promise<{ gzipKib: number; nodeModules: string[] }> {
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
  const code = outputs.map((part) => (part.type === "chunk" ? part.code : part.source));
  const bytes = code.reduce((sum, text) => sum + gzipSync(text, { level: 9 }).length, 0);
  return { gzipKib: bytes / 1024, nodeModules };
}

test.each(BUDGETS)("$entry ($what) loads in a browser within $maxGzipKib KiB", async ({ entry, maxGzipKib }) => {
  const { gzipKib, nodeModules } = await bundle(entry);
  console.log(`${entry}: ${gzipKib.toFixed(1)} of ${maxGzipKib} KiB gzipped`);
  expect(nodeModules).toEqual([]);
  expect(gzipKib).toBeGreaterThan(0.2);
  expect(gzipKib).toBeLessThanOrEqual(maxGzipKib);
});

test("a Node module in a bundle is noticed", async () => {
  const { nodeModules } = await bundle("test/package/needs-node.ts");
  expect(nodeModules).toHaveLength(1);
  expect(nodeModules[0]).toMatch(/^node:fs, imported by .*needs-node\.ts$/);
});
