// Prints the bits of all trainings on this engine as JSON:  node run.mjs <threads> [wide]
import * as downhill from "../../dist/bundled/index.node.js";
import { bitsOf, TRAININGS } from "./trainings.mjs";

const [threads = "1", wide] = process.argv.slice(2);
/** @type {Record<string, string>} */
const bits = {};
for (const which of TRAININGS)
  bits[which] = await bitsOf(/** @type {any} */ (downhill), which, { threads: Number(threads), wide: wide === "wide" });
console.log(JSON.stringify(bits));
