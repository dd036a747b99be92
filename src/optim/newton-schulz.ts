import type { Tensor } from "../ops/tensor.ts";
import { spectralNorm } from "./linalg.ts";

/** a, b, c of one step x -> a x + b (x xᵀ) x + c (x xᵀ)² x. */
export type Quintic = readonly [a: Tensor, b: Tensor, c: Tensor];

/** What a matrix is divided by before the first step, so that no singular value is above 1. */
export type Preconditioning = "frobenius" | "spectral" | "aol" | "schatten";

/** Ahn et al., "Dion", 2025: five steps that end closer to 1 than the same step five times. */
export const DION: readonly (readonly [number, number, number])[] = [
  [4.0848, -6.8946, 2.927],
  [3.9505, -6.3029, 2.6377],
  [3.7418, -5.5913, 2.3037],
  [2.8769, -3.1427, 1.2046],
  [2.8366, -3.0525, 1.2012],
];

const frobenius = (x: Tensor): Tensor => x.square().sum().sqrt();

/** a x + (b A + c A²) x for A = x xᵀ, which is given. */
function step(x: Tensor, gram: Tensor, [a, b, c]: Quintic): Tensor {
  return x.mul(a).add(gram.mul(b).add(gram.matmul(gram).mul(c)).matmul(x));
}

/**
 * U Vᵀ of a matrix's singular decomposition U S Vᵀ, roughly: each step moves all singular values towards 1, of which Muon's
 * coefficients leave them between 0.7 and 1.2. `floor` keeps the norm above eps (PyTorch), else eps is added to it.
 */
export function newtonSchulz(
  matrix: Tensor,
  steps: readonly Quintic[],
  eps: Tensor,
  { preconditioning, floor }: { readonly preconditioning: Preconditioning; readonly floor: boolean },
): Tensor {
  const [rows, columns] = matrix.shape as readonly [number, number];
  const wide = rows < columns;
  const given = wide ? matrix : matrix.transpose();
  const by = (norm: Tensor): Tensor => given.div(floor ? norm.maximum(eps) : norm.add(eps));
  const [first, ...others] = steps as readonly [Quintic, ...Quintic[]];

  const start = (): Tensor => {
    if (preconditioning === "frobenius" || preconditioning === "spectral") {
      const x = by(preconditioning === "frobenius" ? frobenius(given) : spectralNorm(given));
      return step(x, x.matmul(x.transpose()), first);
    }
    const gram = given.matmul(given.transpose());
    if (preconditioning === "schatten") {
      const s = frobenius(gram).maximum(eps).rsqrt();
      return step(given.mul(s), gram.mul(s.square()), first);
    }
    const s = gram.abs().sum(1, { keepDims: true }).maximum(eps).rsqrt();
    return step(given.mul(s), gram.mul(s).mul(s.transpose()), first);
  };
  const found = others.reduce((x, quintic) => step(x, x.matmul(x.transpose()), quintic), start());
  return wide ? found : found.transpose();
}
