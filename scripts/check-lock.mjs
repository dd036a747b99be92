/** `package-lock.json` names no registry's address, locks every platform's binaries, and holds nothing that runs when installed. */
import { readFileSync } from "node:fs";

const { packages } = JSON.parse(readFileSync(new URL("../package-lock.json", import.meta.url), "utf8"));
const locked = (path, name) => `${path}/node_modules/${name}` in packages || `node_modules/${name}` in packages;

/** Development dependencies that do their work here without what their scripts would fetch. */
const WITHOUT_SCRIPT = ["node_modules/onnxruntime-node"];

const faults = Object.entries(packages).flatMap(
  ([path, { resolved, hasInstallScript, optional, optionalDependencies = {} }]) => [
    ...(resolved === undefined ? [] : [`${path}: resolved to ${resolved}; install with this folder's .npmrc`]),
    ...(hasInstallScript && !optional && !WITHOUT_SCRIPT.includes(path)
      ? [`${path}: has an install script, which .npmrc keeps from running`]
      : []),
    // npm leaves out without a word what the registry does not have; `npm ci` then refuses the whole file.
    ...Object.keys(optionalDependencies)
      .filter((name) => !locked(path, name))
      .map((name) => `${path}: its optional ${name} is not locked; choose a version that has it`),
  ],
);
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
}
