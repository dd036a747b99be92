import { dirname, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "tsdown";

const source = fileURLToPath(new URL("src", import.meta.url));
const cli = resolve(source, "cli");

/**
 * The command line's own files and its two libraries become one file; the library beside it stays as tsc emitted it,
 * so that the process holds each module once and `new URL("./worker.js", import.meta.url)` still finds its file.
 */
const libraryStaysOutside = {
  name: "library-stays-outside",
  resolveId(specifier, importer) {
    if (importer === undefined || !specifier.startsWith(".") || !importer.startsWith(cli + sep)) return null;
    const file = resolve(dirname(importer), specifier);
    if (file.startsWith(cli + sep)) return null;
    return { id: relative(cli, file).split(sep).join("/").replace(/\.ts$/, ".js"), external: true };
  },
};

export default defineConfig({
  entry: { main: "src/cli/main.ts" },
  outDir: "dist/cli",
  platform: "node",
  target: "node20.19",
  format: "esm",
  outExtensions: () => ({ js: ".js" }),
  dts: false,
  clean: false,
  deps: { alwaysBundle: ["commander", "valibot"] },
  plugins: [libraryStaysOutside],
});
