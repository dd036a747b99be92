import { hasRelaxedSimd } from "../backends/wasm/index.ts";
import { productTrial, type Trial } from "../backends/wasm/wide-trial.ts";

/** Whether the engine joins pairs of vectors, and why not; `gain` is how many times faster a product was in the trial. */
export type WideReport =
  | { readonly on: true; readonly gain: number }
  | { readonly on: false; readonly reason: string; readonly gain?: number };

const FLAG = "experimental-wasm-revectorize";
/** Node 22 knows the flag and gains nothing by it. */
const FIRST_V8 = 13;
/** Less than this is not worth an experimental part of the engine. */
const LEAST_GAIN = 1.2;
/** The engine brings a function to its last tier beside its first calls, which takes some milliseconds, or more on a busy machine. */
const LEAST_MS = 8;
const MOST_MS = 300;
/** Rows, inner length and columns: full tiles for the speed; every width of tile in two blocks of k for the bits. */
const SHAPES = [
  [24, 256, 64],
  [11, 400, 31],
] as const;

let known: WideReport | null = null;

/**
 * Switches on V8's revectorising, by which pairs of 128-bit operations become one of 256 bits, for all WebAssembly that this process
 * compiles from now on, and tries it: a product in the form of `wide` must give the same bits as without, and at least 1.2 times the
 * speed; otherwise the flag is taken back and the report says why. It is experimental in V8, in Node 24 and later and on processors
 * with AVX2. A second call gives the first one's report.
 *
 * @example
 * const wide = enableWide();
 * const backend = nodeBackend({ mode: "fast", wide: wide.on });
 */
export function enableWide(): WideReport {
  known ??= tryWide();
  return known;
}

function tryWide(): WideReport {
  if (Number.parseInt(process.versions.v8, 10) < FIRST_V8)
    return { on: false, reason: `Node ${process.versions.node} cannot; Node 24 and later can` };
  const trials = (panel: 8 | 16, enough: (rate: number) => boolean): [Trial, ...Trial[]] => {
    const all = SHAPES.flatMap((shape) =>
      (hasRelaxedSimd() ? [true, false] : [false]).map((fused) => productTrial(panel, fused, shape)),
    ) as [Trial, ...Trial[]];
    const start = performance.now();
    const spent = (): number => performance.now() - start;
    while (spent() < LEAST_MS || (spent() < MOST_MS && !enough(all[0].rate))) for (const trial of all) trial.run();
    return all;
  };
  const narrow = trials(8, () => true);
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  setFlagsFromString(`--${FLAG}`);
  const wide = trials(16, (rate) => rate >= LEAST_GAIN * narrow[0].rate);
  const gain = wide[0].rate / narrow[0].rate;
  const same = wide.every(({ bits }, i) => bits.every((word, at) => word === narrow[i]?.bits[at]));
  if (same && gain >= LEAST_GAIN) return { on: true, gain };
  setFlagsFromString(`--no-${FLAG}`);
  const reason = same
    ? `products ran at ${gain.toFixed(2)} times the speed, less than ${LEAST_GAIN}`
    : "a product gave other bits";
  return { on: false, reason, gain };
}
