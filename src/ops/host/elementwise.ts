import type { DType } from "../../core/dtype.ts";
import { HostArray } from "../../core/host-array.ts";
import { exp } from "../../core/math.ts";
import { resultData } from "./layout.ts";

/** `f` at each element, computed in double and rounded on storing; i32 keeps the low 32 bits, bool is 0 or 1. */
export function mapUnary(f: (x: number) => number, x: HostArray, dtype: DType = x.dtype): HostArray {
  const from = x.data;
  const data = resultData(dtype, from.length, [x]);
  if (dtype === "bool") for (let i = 0; i < data.length; i++) data[i] = f(from[i] as number) ? 1 : 0;
  else for (let i = 0; i < data.length; i++) data[i] = f(from[i] as number);
  return new HostArray(dtype, x.shape, data);
}

/** `f` at each pair of elements of equal shapes. */
export function mapBinary(
  f: (a: number, b: number) => number,
  a: HostArray,
  b: HostArray,
  dtype: DType = a.dtype,
): HostArray {
  const left = a.data;
  const right = b.data;
  const data = resultData(dtype, left.length, [a, b]);
  if (dtype === "bool")
    for (let i = 0; i < data.length; i++) data[i] = f(left[i] as number, right[i] as number) ? 1 : 0;
  else for (let i = 0; i < data.length; i++) data[i] = f(left[i] as number, right[i] as number);
  return new HostArray(dtype, a.shape, data);
}

/** c ? a : b */
export function selectHost(c: HostArray, a: HostArray, b: HostArray): HostArray {
  const data = resultData(a.dtype, a.data.length, [a, b]);
  for (let i = 0; i < data.length; i++) data[i] = (c.data[i] ? a.data[i] : b.data[i]) as number;
  return new HostArray(a.dtype, a.shape, data);
}

/** f32 to i32 truncates and saturates (NaN is 0); to u8 clamps the truncated value; to bool is x != 0. */
export function castHost(x: HostArray, dtype: DType): HostArray {
  if (dtype === "f32") return mapUnary((v) => v, x, dtype);
  if (dtype === "bool") return mapUnary((v) => (v !== 0 ? 1 : 0), x, dtype);
  const [low, high] = dtype === "u8" ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  return mapUnary((v) => (Number.isNaN(v) ? 0 : Math.min(Math.max(Math.trunc(v), low), high)), x, dtype);
}

/** The nearest integer, ties to even. */
export function roundTiesToEven(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  if (rest < 0.5) return down === 0 && (x < 0 || Object.is(x, -0)) ? -0 : down;
  if (rest > 0.5 || down % 2 !== 0) return down === -1 ? -0 : down + 1;
  return down;
}

const horner = (x: number, coefficients: readonly number[]): number => {
  let sum = 0;
  for (let i = coefficients.length - 1; i >= 0; i--) sum = sum * x + (coefficients[i] as number);
  return sum;
};

const PP = [
  1.28379167095512558561e-1, -3.2504210724700149937e-1, -2.84817495755985104766e-2, -5.77027029648944159157e-3,
  -2.37630166566501626084e-5,
];
const QQ = [
  1, 3.97917223959155352819e-1, 6.50222499887672944485e-2, 5.08130628187576562776e-3, 1.32494738004321644526e-4,
  -3.9602282787753681232e-6,
];
const PA = [
  -2.36211856075265944077e-3, 4.14856118683748331666e-1, -3.72207876035701323847e-1, 3.18346619901161753674e-1,
  -1.10894694282396677476e-1, 3.54783043256182359371e-2, -2.166375594868790843e-3,
];
const QA = [
  1, 1.06420880400844228286e-1, 5.40397917702171048937e-1, 7.18286544141962662868e-2, 1.26171219808761642112e-1,
  1.36370839120290507362e-2, 1.1984499846799107417e-2,
];
const RA = [
  -9.86494403484714822705e-3, -6.93858572707181764372e-1, -1.05586262253232909814e1, -6.23753324503260060396e1,
  -1.62396669462573470355e2, -1.84605092906711035994e2, -8.12874355063065934246e1, -9.81432934416914548592,
];
const SA = [
  1, 1.96512716674392571292e1, 1.376577541435190426e2, 4.34565877475229228821e2, 6.45387271733267880336e2,
  4.29008140027567833386e2, 1.08635005541779435134e2, 6.57024977031928170135, -6.04244152148580987438e-2,
];
const RB = [
  -9.86494292470009928597e-3, -7.99283237680523006574e-1, -1.77579549177547519889e1, -1.60636384855821916062e2,
  -6.37566443368389627722e2, -1.02509513161107724954e3, -4.83519191608651397019e2,
];
const SB = [
  1, 3.03380607434824582924e1, 3.25792512996573918826e2, 1.53672958608443695994e3, 3.19985821950859553908e3,
  2.55305040643316442583e3, 4.74528541206955367215e2, -2.24409524465858183362e1,
];

/** The error function within 1 ULP of double precision (fdlibm's rational approximations). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a > 0)) return x;
  if (a < 0.84375) {
    const z = x * x;
    return x + x * (horner(z, PP) / horner(z, QQ));
  }
  if (a < 1.25) return Math.sign(x) * (8.45062911510467529297e-1 + horner(a - 1, PA) / horner(a - 1, QA));
  if (a >= 6) return Math.sign(x);
  const s = 1 / (a * a);
  const tail = a < 1 / 0.35 ? horner(s, RA) / horner(s, SA) : horner(s, RB) / horner(s, SB);
  // z * z is exact, so that e^(-a²) keeps its relative accuracy.
  const z = Math.fround(a);
  return Math.sign(x) * (1 - (exp(-z * z - 0.5625) * exp((z - a) * (z + a) + tail)) / a);
}
