/** A size of a value in a program for batches of any length N: a number, or `perSample` N + `plus`. */
export type Dim = number | Linear;
export type Linear = { readonly perSample: number; readonly plus: number };

export const isFixed = (dim: Dim): dim is number => typeof dim === "number";

export const areFixed = (dims: readonly Dim[]): dims is readonly number[] => dims.every(isFixed);

export function sameDim(a: Dim, b: Dim): boolean {
  if (isFixed(a) || isFixed(b)) return a === b;
  return a.perSample === b.perSample && a.plus === b.plus;
}

export const sameDims = (a: readonly Dim[], b: readonly Dim[]): boolean =>
  a.length === b.length && a.every((dim, i) => sameDim(dim, b[i] as Dim));

/** As ONNX names sizes: 3, "N", "4 N", "N + 1". */
export function dimName(dim: Dim): number | string {
  if (isFixed(dim)) return dim;
  const { perSample, plus } = dim;
  const samples = perSample === 1 ? "N" : `${perSample} N`;
  return plus === 0 ? samples : `${samples} ${plus < 0 ? "-" : "+"} ${Math.abs(plus)}`;
}

/** With axes of size 1 before. */
export const withRank = (dims: readonly Dim[], rank: number): readonly Dim[] => [
  ...Array.from({ length: rank - dims.length }, () => 1),
  ...dims,
];

/** The shape of an elementwise result: axes align at the last, and those of size 1 repeat. */
export function broadcastDims(shapes: readonly (readonly Dim[])[]): readonly Dim[] {
  const rank = Math.max(0, ...shapes.map(({ length }) => length));
  const full = shapes.map((dims) => withRank(dims, rank));
  return Array.from({ length: rank }, (_, axis) => full.map((dims) => dims[axis] as Dim).find((d) => d !== 1) ?? 1);
}

/** The number of elements. Throws RangeError for two axes that both depend on the batch. */
export function productOf(dims: readonly Dim[]): Dim {
  return dims.reduce((a, b) => {
    if (!isFixed(a) && !isFixed(b)) throw new RangeError(`${dimName(a)} by ${dimName(b)} is not linear in N`);
    const [linear, times] = isFixed(a) ? [b, a] : [a, b as number];
    if (isFixed(linear)) return linear * times;
    return { perSample: linear.perSample * times, plus: linear.plus * times };
  }, 1);
}
