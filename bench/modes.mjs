/**
 * The ways in which Downhill is measured.
 *
 * @typedef {"reproducible" | "fast"} Arithmetic
 * @typedef {{ arithmetic: Arithmetic, wide: boolean, native: boolean }} Way
 *   `wide`: kernels for V8's revectorising, and the switch for it; `native`: large products by the system's BLAS.
 */

/** @satisfies {Readonly<Record<string, Way>>} */
export const MODES = {
  reproducible: { arithmetic: "reproducible", wide: false, native: false },
  fast: { arithmetic: "fast", wide: false, native: false },
  "wide-reproducible": { arithmetic: "reproducible", wide: true, native: false },
  wide: { arithmetic: "fast", wide: true, native: false },
  native: { arithmetic: "fast", wide: false, native: true },
};

/** @typedef {keyof typeof MODES} Mode */

export const MODE_NAMES = /** @type {Mode[]} */ (Object.keys(MODES));

/** V8 joins pairs of vectors from this major version of Node on; an earlier one has the flag to no effect. */
const WIDE_SINCE = 24;

/** @param {string} version */
export const majorOf = (version) => Number(version.split(".", 1)[0]);

/**
 * The modes that differ from another one on this engine: without relaxed SIMD `fast` is `reproducible`.
 * @param {readonly Mode[]} wanted @param {{ version: string, relaxedSimd?: boolean | undefined }} node @returns {Mode[]}
 */
export function modesOn(wanted, { version, relaxedSimd }) {
  return wanted.filter((name) => {
    const { wide, native, arithmetic } = MODES[name];
    if (wide) return majorOf(version) >= WIDE_SINCE;
    return native || arithmetic === "reproducible" || relaxedSimd !== false || !wanted.includes("reproducible");
  });
}

/** What `wide` switches on in V8. */
export const WIDE_FLAG = "--experimental-wasm-revectorize";
