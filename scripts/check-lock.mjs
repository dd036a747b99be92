/** `package-lock.json` names no registry's address, and nothing in it runs code when it is installed. */
import { readFileSync } from "node:fs";

const { packages } = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
const faults = Object.entries(packages).flatMap(([path, { resolved, hasInstallScript, optional }]) => [
  ...(resolved === undefined ? [] : [`${path}: resolved to ${resolved}; run npm install with this folder's .npmrc`]),
  ...(hasInstallScript && !optional ? [`${path}: has an install script, which .npmrc keeps from running`] : []),
]);
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
}
