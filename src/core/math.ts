/**
 * exp, log, pow, cos, sin of our own in double precision. `Math.pow` and kin differ between engines in the last bit;
 * schedules, initialisers and augmentation use these, built of +, -, *, / and sqrt only, so that equal inputs give equal bits.
 */

const LN2_HI = 6.9314718036912381649e-1;
const LN2_LO = 1.90821492927058770002e-10;
const buffer = new DataView(new ArrayBuffer(8));

function scalb(x: number, k: number): number {
  let y = x;
  let n = k;
  while (n > 1023) {
    y *= 2 ** 1023;
    n -= 1023;
  }
  while (n < -1022) {
    y *= 2 ** -1022;
    n += 1022;
  }
  buffer.setUint32(0, (n + 1023) << 20);
  buffer.setUint32(4, 0);
  return y * buffer.getFloat64(0);
}

/** e^x, within 1 ULP. Range reduction by ln 2, then fdlibm's rational approximation. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x > 709.782712893384) return Infinity;
  if (x < -745.1332191019411) return 0;
  const k = Math.floor(x / 0.6931471805599453 + 0.5);
  const hi = x - k * LN2_HI;
  const lo = k * LN2_LO;
  const r = hi - lo;
  const t = r * r;
  const c =
    r -
    t *
      (1.66666666666666019037e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))));
  return scalb(1 - (lo - (r * c) / (2 - c) - hi), k);
}

/** ln x, within 1 ULP (fdlibm's algorithm). */
export function log(x: number): number {
  if (Number.isNaN(x) || x < 0) return NaN;
  if (x === 0) return -Infinity;
  if (x === Infinity) return x;
  let k = 0;
  let y = x;
  if (y < 2 ** -1022) {
    y *= 2 ** 54;
    k -= 54;
  }
  buffer.setFloat64(0, y);
  let high = buffer.getUint32(0);
  k += (high >>> 20) - 1023;
  high &= 0xfffff;
  const i = (high + 0x95f64) & 0x100000;
  buffer.setUint32(0, high | (i ^ 0x3ff00000));
  k += i >> 20;
  const f = buffer.getFloat64(0) - 1;
  if (f === 0) return k * LN2_HI + k * LN2_LO;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const t1 = w * (3.999999999940941908e-1 + w * (2.222219843214978396e-1 + w * 1.531383769920937332e-1));
  const t2 =
    z *
    (6.66666666666673513e-1 +
      w * (2.857142874366239149e-1 + w * (1.818357216161805012e-1 + w * 1.479819860511658591e-1)));
  const half = 0.5 * f * f;
  return k * LN2_HI - (half - (s * (half + t1 + t2) + k * LN2_LO) - f);
}

/** x^y. Integer powers by repeated squaring, the rest as e^(y ln x) (relative error about |y ln x| 1e-16). */
export function pow(x: number, y: number): number {
  if (Number.isInteger(y) && Math.abs(y) <= 2 ** 31) {
    let result = 1;
    let base = y < 0 ? 1 / x : x;
    for (let n = Math.abs(y); n > 0; n = Math.floor(n / 2)) {
      if (n % 2 === 1) result *= base;
      base *= base;
    }
    return result;
  }
  if (x === 0) return y > 0 ? 0 : Infinity;
  return exp(y * log(x));
}

const TWO_PI_INV = 0.15915494309189535;
const PIO2_1 = 1.57079632673412561417;
const PIO2_2 = 6.0771005063039659766e-11;
const PIO2_3 = 2.0222662487111664558e-21;

function kernelSin(x: number): number {
  const z = x * x;
  return (
    x +
    x *
      z *
      (-1.66666666666666324348e-1 +
        z *
          (8.33333333332248946124e-3 +
            z *
              (-1.98412698298579493134e-4 +
                z * (2.75573137070700676789e-6 + z * (-2.50507602534068634195e-8 + z * 1.58969099521155010221e-10)))))
  );
}

function kernelCos(x: number): number {
  const z = x * x;
  return (
    1 -
    0.5 * z +
    z *
      z *
      (4.16666666666666019037e-2 +
        z *
          (-1.38888888888741095749e-3 +
            z *
              (2.48015872894767294178e-5 +
                z * (-2.75573143513906633035e-7 + z * (2.0875723212981748279e-9 - z * 1.13596475577881948265e-11)))))
  );
}

/** sin x for |x| up to about 1e6. */
export function sin(x: number): number {
  return cos(x, 3);
}

/** cos x for |x| up to about 1e6; `shift` quarter turns are added. */
export function cos(x: number, shift = 0): number {
  const n = Math.floor(x * TWO_PI_INV * 4 + 0.5);
  const r = x - n * PIO2_1 - n * PIO2_2 - n * PIO2_3;
  const quadrant = (((n + shift) % 4) + 4) % 4;
  if (quadrant === 0) return kernelCos(r);
  if (quadrant === 1) return -kernelSin(r);
  return quadrant === 2 ? -kernelCos(r) : kernelSin(r);
}
