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
  0.12837916709551256, -0.3250421072470015, -0.02848174957559851, -0.005770270296489442, -2.3763016656650163e-5,
];
const QQ = [
  1, 0.39791722395915535, 0.0650222499887673, 0.005081306281875766, 0.00013249473800432164, -3.960228278775368e-6,
];
const PA = [
  -0.0023621185607526594, 0.41485611868374833, -0.3722078760357013, 0.31834661990116175, -0.11089469428239668,
  0.035478304325618236, -0.002166375594868791,
];
const QA = [
  1, 0.10642088040084423, 0.540397917702171, 0.07182865441419627, 0.12617121980876164, 0.01363708391202905,
  0.011984499846799107,
];
const RA = [
  -0.009864944034847148, -0.6938585727071818, -10.558626225323291, -62.375332450326006, -162.39666946257347,
  -184.60509290671104, -81.2874355063066, -9.814329344169145,
];
const SA = [
  1, 19.651271667439257, 137.65775414351904, 434.56587747522923, 645.3872717332679, 429.00814002756783,
  108.63500554177944, 6.570249770319282, -0.0604244152148581,
];
const RB = [
  -0.0098649429247001, -0.799283237680523, -17.757954917754752, -160.63638485582192, -637.5664433683896,
  -1025.0951316110772, -483.5191916086514,
];
const SB = [
  1, 30.33806074348246, 325.7925129965739, 1536.729586084437, 3199.8582195085955, 2553.0504064331644,
  474.52854120695537, -22.44095244658582,
];

/** The error function within 1 ULP of double precision (fdlibm's rational approximations). */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a > 0)) return x;
  if (a < 0.84375) {
    const z = x * x;
    return x + x * (horner(z, PP) / horner(z, QQ));
  }
  if (a < 1.25) return Math.sign(x) * (0.8450629115104675 + horner(a - 1, PA) / horner(a - 1, QA));
  if (a >= 6) return Math.sign(x);
  const s = 1 / (a * a);
  const tail = a < 1 / 0.35 ? horner(s, RA) / horner(s, SA) : horner(s, RB) / horner(s, SB);
  // z * z is exact, so that e^(-a²) keeps its relative accuracy.
  const z = Math.fround(a);
  return Math.sign(x) * (1 - (exp(-z * z - 0.5625) * exp((z - a) * (z + a) + tail)) / a);
}
