import { type Imports, target } from "./imports.ts";

/** A folder imports from itself and from strictly lower layers; `import type` counts. */
export const LAYERS: Readonly<Record<string, number>> = {
  "src/core": 0,
  "src/ir": 1,
  "src/io": 1,
  "src/ops": 2,
  "src/data": 2,
  "src/trace": 3,
  "src/compile": 4,
  "src/nn": 4,
  "src/optim": 4,
  "src/backends": 5,
  "src/native": 5,
  "src/train": 6,
  "src/testing": 6,
  "src/node": 7,
  "src/web": 7,
  "src/studio": 8,
  "src/cli": 9,
  "src/index": 9,
};

/** Code that runs in one place only; all the rest is common and names neither. */
export const NODE_ONLY: readonly string[] = [
  "src/node/",
  "src/native/",
  "src/cli/",
  "src/studio/server.ts",
  "src/index.node.ts",
];

/** Packages that a file may import. The library has no dependencies; these are bundled or optional. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  "src/cli/": ["commander", "tinyglobby", "valibot"],
  "src/node/pictures/": ["sharp"],
  "src/node/tables/": ["hyparquet", "hyparquet-writer"],
  "src/node/metrics/": ["hyparquet-writer"],
};

/** `src/optim/adam.ts` is in `src/optim`; the front pages `src/index*.ts` count as one folder. */
export function folderOf(file: string): string {
  return /^src\/index(\.\w+)?\.ts$/.test(file) ? "src/index" : file.split("/").slice(0, 2).join("/");
}

/** Each forbidden import as one line that names both files and says why. */
export function violations(imports: Imports): string[] {
  const faults: string[] = [];
  for (const [file, specifiers] of imports) {
    const from = folderOf(file);
    const layer = LAYERS[from];
    if (layer === undefined) {
      faults.push(`${file}: ${from} has no layer`);
      continue;
    }
    for (const specifier of specifiers) {
      const fault = faultOf(file, from, layer, specifier, imports);
      if (fault !== undefined) faults.push(`${file} imports ${specifier}: ${fault}`);
    }
  }
  return faults;
}

function faultOf(file: string, from: string, layer: number, specifier: string, imports: Imports): string | undefined {
  const to = target(file, specifier);
  if (to === undefined) {
    const within = (prefix: string): boolean => file.startsWith(prefix);
    if (specifier.startsWith("node:")) return NODE_ONLY.some(within) ? undefined : "common code names no node: module";
    const allowed = Object.entries(PACKAGES).some(([prefix, names]) => within(prefix) && names.includes(specifier));
    return allowed ? undefined : "no package may be imported here";
  }
  if (!imports.has(to)) return `there is no ${to}`;
  const folder = folderOf(to);
  if (folder === from) return undefined;
  const below = LAYERS[folder];
  if (below === undefined) return `${folder} has no layer`;
  return below < layer ? undefined : `layer ${layer} may only import from lower layers, and ${folder} is ${below}`;
}
