import type { OnnxModel } from "./protobuf.ts";

export type Tolerance = { readonly relative: number; readonly absolute: number };

const ROUNDING: Tolerance = { relative: 1e-6, absolute: 1e-7 };

/** Wider than a few roundings in single precision, by operator, with the reason. */
const OPERATORS: Readonly<Record<string, Tolerance>> = {
  // Expected values are alpha (exp(x) - 1) in single precision, which cancels near 0; ours is expm1.
  Elu: { relative: 1e-6, absolute: 4e-7 },
  Selu: { relative: 1e-6, absolute: 4e-7 },
  Celu: { relative: 1e-6, absolute: 4e-7 },
  // A remainder has the error of the dividend, which is read as a single.
  Mod: { relative: 1e-6, absolute: 1e-6 },
};

const CASES: readonly (readonly [name: RegExp, Tolerance])[] = [
  // Differences of values around 1 that nearly cancel.
  [/^test_(layer_normalization|instancenorm|mvn)/, { relative: 1e-6, absolute: 1e-6 }],
  // The expected values were made with 3.1415 for pi: 1 - cos(2 pi n / N) / 2 is then off by up to 5e-5.
  [/^test_(blackman|hamming|hann)window_/, { relative: 0, absolute: 1e-4 }],
];

/** The widest of what the case and its graph's operators ask for. */
export function toleranceOf(name: string, { graph }: OnnxModel): Tolerance {
  const wider = [
    ...graph.nodes.flatMap(({ operator }) => OPERATORS[operator] ?? []),
    ...CASES.flatMap(([pattern, tolerance]) => (pattern.test(name) ? [tolerance] : [])),
  ];
  return wider.reduce((a, b) => (b.absolute > a.absolute ? b : a), ROUNDING);
}
