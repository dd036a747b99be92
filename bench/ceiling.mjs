/**
 * The most that a register-tiled loop reaches on this engine and machine, one thread: operands packed and in the
 * innermost cache, nothing but loads, multiplies and adds. Prints one line of JSON, in GFLOP/s.
 */
import { pathToFileURL } from "node:url";

const [dist = "", quick] = process.argv.slice(2);
const { tileRates } = await import(new URL("backends/wasm/ceilings.js", pathToFileURL(`${dist}/`)).href);

const { separate, fused } = /** @type {{ separate: number, fused: number | null }} */ (tileRates(quick ? 60 : 400));
process.stdout.write(
  `${JSON.stringify({ reproducible: separate, fast: fused ?? separate, relaxedSimd: fused !== null })}\n`,
);
