import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("..", import.meta.url));

/** Some tests read `dist/`; an old one would let them pass or fail for what is no longer there. */
export function requireBuilt(): void {
  const built = join(root, "dist/cli/main.js");
  if (!existsSync(built)) throw new Error("dist/ is missing: run `npm run build` first");
  const time = statSync(built).mtimeMs;
  const newer = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .find((file) => statSync(file).mtimeMs > time);
  if (newer !== undefined) throw new Error(`dist/ is older than ${newer}: run \`npm run build\` first`);
}
