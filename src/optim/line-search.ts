import type { Tensor } from "../ops/tensor.ts";
import { whileLoop } from "../trace/control.ts";

/** A point t along a line: the loss there, its slope along the line, all f32[], and the whole gradient, f32[n]. */
export type LinePoint = { readonly t: Tensor; readonly f: Tensor; readonly slope: Tensor; readonly g: Tensor };

/** Sufficient decrease: f(t) <= f(0) + C1 t f'(0). */
const C1 = 1e-4;
/** Small curvature: |f'(t)| <= C2 |f'(0)|. */
const C2 = 0.9;

type Choice<T> = { readonly [K in keyof T]: Tensor };

/** a where the condition holds, else b, field by field. */
function choose<T extends Choice<T>>(condition: Tensor, a: T, b: T): T {
  const names = Object.keys(a) as (keyof T & string)[];
  return Object.fromEntries(names.map((name) => [name, condition.select(a[name], b[name])])) as T;
}

/** x where it is a number, else what stands in for it. */
const orElse = (x: Tensor, other: Tensor | number): Tensor => x.equal(x).select(x, other);

/** Where the cubic through two points with their slopes is lowest, kept within bounds; their middle where it has no such point. */
function cubicMinimum(a: LinePoint, b: LinePoint, low: Tensor, high: Tensor): Tensor {
  const ordered = a.t.lessEqual(b.t);
  const left = choose(ordered, scalars(a), scalars(b));
  const right = choose(ordered, scalars(b), scalars(a));
  const d1 = a.slope.add(b.slope).sub(a.f.sub(b.f).mul(3).div(a.t.sub(b.t)));
  const square = d1.square().sub(a.slope.mul(b.slope));
  const d2 = square.sqrt();
  const part = right.slope
    .add(d2)
    .sub(d1)
    .div(right.slope.sub(left.slope).add(d2.mul(2)));
  const lowest = right.t.sub(right.t.sub(left.t).mul(part)).maximum(low).minimum(high);
  const middle = low.add(high).mul(0.5);
  return square.greaterEqual(0).select(orElse(lowest, middle), middle);
}

const scalars = ({ t, f, slope }: LinePoint) => ({ t, f, slope });

export type StrongWolfeOptions = {
  /** The step to try first, f32[]. */
  readonly first: Tensor;
  /** The direction's largest element: a bracket shorter than tolerance / longest is not searched. */
  readonly longest: Tensor;
  readonly tolerance: Tensor;
  /** f32[]: one evaluation, and so many more. */
  readonly most: Tensor;
  /** bool[]: nothing is to be searched. */
  readonly idle: Tensor;
};

/**
 * A step that meets the strong Wolfe conditions, and the evaluations it took: torch.optim.LBFGS's search. A loss that is no
 * number counts as infinite (there it passes both tests).
 *
 * The first steps grow until they bracket such a step, then the bracket shrinks; one evaluation each.
 */
export function strongWolfe(
  evaluate: (t: Tensor) => LinePoint,
  start: LinePoint,
  { first, longest, tolerance, most, idle }: StrongWolfeOptions,
): { readonly found: LinePoint; readonly evaluations: Tensor } {
  const end = whileLoop(
    ({ finished }) => finished.not(),
    (c) => {
      const measured = evaluate(c.t);
      const now: LinePoint = { ...measured, f: orElse(measured.f, Number.POSITIVE_INFINITY) };
      const further = c.evaluations.cast("f32");
      const tooHigh = now.f.greater(start.f.add(start.slope.mul(now.t).mul(C1)));
      const flatEnough = now.slope.abs().lessEqual(start.slope.mul(-C2));

      // Bracketing: c.a is the step before.
      const growing = c.zooming.not();
      const exhausted = growing.and(further.greaterEqual(most));
      const tested = growing.and(exhausted.not());
      const above = tooHigh.or(further.greater(1).and(now.f.greaterEqual(c.a.f)));
      const met = tested.and(above.not()).and(flatEnough);
      const bracketed = tested.and(above.or(flatEnough.not().and(now.slope.greaterEqual(0))));
      const grows = tested.and(met.or(bracketed).not());

      // Zooming: `now` takes the place of the bracket's high end, or of its low end, which may become the high one.
      const low = choose(c.aIsLow, c.a, c.b);
      const high = choose(c.aIsLow, c.b, c.a);
      const worse = tooHigh.or(now.f.greaterEqual(low.f));
      const better = worse.not();
      const metZooming = c.zooming.and(better).and(flatEnough);
      const turned = better.and(flatEnough.not()).and(now.slope.mul(high.t.sub(low.t)).greaterEqual(0));
      const newLow = choose(better, now, low);
      const newHigh = choose(worse, now, choose(turned, low, high));

      const a = choose(c.zooming, choose(c.aIsLow, newLow, newHigh), choose(grows, now, choose(exhausted, start, c.a)));
      const b = choose(c.zooming, choose(c.aIsLow, newHigh, newLow), now);
      const aIsLow = c.zooming.and(better).select(c.aIsLow, met.not().and(a.f.lessEqual(b.f)));

      const zooming = c.zooming.or(bracketed);
      const short = b.t.sub(a.t).abs().mul(longest).less(tolerance);
      const evaluations = c.evaluations.add(1);
      const spent = further.greaterEqual(most);
      const finished = met
        .or(metZooming)
        .or(exhausted)
        .or(zooming.and(short.or(spent)));

      // The next step: past this one, or within the bracket and not always at its border.
      const beyond = cubicMinimum(c.a, now, now.t.add(now.t.sub(c.a.t).mul(0.01)), now.t.mul(10));
      const [from, to] = [a.t.minimum(b.t), a.t.maximum(b.t)];
      const margin = to.sub(from).mul(0.1);
      const inside = cubicMinimum(a, b, from, to);
      const near = to.sub(inside).minimum(inside.sub(from)).less(margin);
      const pushed = near.and(c.near.or(inside.greaterEqual(to)).or(inside.lessEqual(from)));
      const away = inside.sub(to).abs().less(inside.sub(from).abs()).select(to.sub(margin), from.add(margin));
      return {
        t: zooming.select(pushed.select(away, inside), beyond),
        a,
        b,
        aIsLow,
        zooming,
        near: zooming.and(near).and(pushed.not()),
        finished,
        evaluations,
      };
    },
    {
      t: first,
      a: start,
      b: start,
      aIsLow: idle.full(1),
      zooming: idle.full(0),
      near: idle.full(0),
      finished: idle,
      evaluations: first.full(0, [], "i32"),
    },
  );
  return { found: choose(end.aIsLow, end.a, end.b), evaluations: end.evaluations };
}

/** What the steps tried have in common where the gradient itself is not kept. */
type Trial = Omit<LinePoint, "g">;

/** Where the cubic through three values, with the slope at the first, is lowest; NaN where it has no such point. */
function cubicThrough(a: Trial, b: Trial, c: Pick<Trial, "t" | "f">): Tensor {
  const db = b.t.sub(a.t);
  const dc = c.t.sub(a.t);
  const denominator = db.mul(dc).square().mul(db.sub(dc));
  const eb = b.f.sub(a.f).sub(a.slope.mul(db));
  const ec = c.f.sub(a.f).sub(a.slope.mul(dc));
  const cubed = (x: Tensor): Tensor => x.square().mul(x);
  const third = dc.square().mul(eb).sub(db.square().mul(ec)).div(denominator);
  const second = cubed(db).mul(ec).sub(cubed(dc).mul(eb)).div(denominator);
  const root = second.square().sub(third.mul(a.slope).mul(3)).sqrt();
  return a.t.add(root.sub(second).div(third.mul(3)));
}

/** The same for the parabola through two. */
function parabolaThrough(a: Trial, b: Trial): Tensor {
  const d = b.t.sub(a.t);
  const second = b.f.sub(a.f).sub(a.slope.mul(d)).div(d.square());
  return a.t.sub(a.slope.div(second.mul(2)));
}

/** A value within this part of the first one's size may count as no higher: there rounding decides. */
const NEARLY = 1e-6;
/** An interval no longer than this is not searched once some step in it lowers the loss. */
const SHORTEST = 1e-5;

/**
 * A step that meets the strong Wolfe conditions (or, near a minimum, Hager and Zhang's approximate ones), and the evaluations
 * it took: optax's zoom search from t = 1 with its numbers. Where it finds none in `most` evaluations, the best of those that
 * lower the loss enough, and 0 where the last was not finite.
 */
export function zoom(
  evaluate: (t: Tensor) => Trial,
  start: Trial,
  most: Tensor,
): { readonly t: Tensor; readonly evaluations: Tensor } {
  const { f: f0, slope: slope0 } = start;
  const excess = (x: Tensor): Tensor => orElse(x.maximum(0), Number.POSITIVE_INFINITY);
  const no = most.full(0, [], "bool");
  const zero = most.full(0);
  const best: Pick<Trial, "t" | "f"> = { t: zero, f: f0 };

  const end = whileLoop(
    ({ finished }) => finished.not(),
    (c) => {
      const { low, high } = c;
      const length = high.t.sub(low.t).abs();
      const [left, right] = [low.t.minimum(high.t), low.t.maximum(high.t)];
      const within = (t: Tensor, margin: number): Tensor =>
        t.greater(left.add(length.mul(margin))).and(t.less(right.sub(length.mul(margin))));
      const cubic = cubicThrough(low, high, c.third);
      const parabola = parabolaThrough(low, high);
      const halved = low.t.add(high.t).div(2);
      const guess = within(cubic, 0.2).select(cubic, within(parabola, 0.1).select(parabola, halved));
      const isFirst = c.evaluations.equal(0);
      const now = evaluate(c.zooming.select(guess, isFirst.select(1, c.last.t.mul(2))));

      const armijo = now.f.sub(f0).sub(slope0.mul(now.t).mul(C1));
      const nearby = now.slope.sub(slope0.mul(2 * C1 - 1)).maximum(now.f.sub(f0).sub(f0.abs().mul(NEARLY)));
      const tooHigh = excess(nearby.minimum(armijo));
      const tooSteep = excess(now.slope.abs().sub(slope0.abs().mul(C2)));
      const met = tooHigh.maximum(tooSteep).lessEqual(0);
      const lowers = tooHigh.lessEqual(0);
      const safe = choose(lowers.and(c.zooming.not().or(now.f.less(c.safe.f))), { t: now.t, f: now.f }, c.safe);

      // Growing: an interval is found where this step is too high or leads upwards again.
      const above = tooHigh.greater(0).or(now.f.greaterEqual(c.last.f).and(isFirst.not()));
      const upwards = now.slope.greaterEqual(0).and(above.not());
      const found = above.or(upwards).or(met);
      const lowGrown = choose(upwards, now, c.last);
      const highGrown = choose(upwards, c.last, now);

      // Zooming: this step takes the place of the high end, or of the low end, which may become the high one.
      const worse = tooHigh.greater(0).or(now.f.greaterEqual(low.f));
      const turned = worse.not().and(now.slope.mul(high.t.sub(low.t)).greaterEqual(0));
      const lowZoomed = choose(worse, low, now);
      const highZoomed = choose(worse, now, choose(turned, low, high));
      const thirdZoomed = choose(worse.or(turned), { t: high.t, f: high.f }, { t: low.t, f: low.f });

      const evaluations = c.evaluations.add(1);
      const spent = evaluations.cast("f32").greaterEqual(most);
      const short = c.zooming.and(length.lessEqual(SHORTEST)).and(safe.t.greater(0));
      const failed = met.not().and(spent.or(short));
      const retreats = failed.and(safe.t.greater(0).or(tooHigh.equal(Number.POSITIVE_INFINITY)));
      return {
        last: now,
        low: choose(c.zooming, lowZoomed, lowGrown),
        high: choose(c.zooming, highZoomed, highGrown),
        third: choose(c.zooming, thirdZoomed, { t: lowGrown.t, f: lowGrown.f }),
        safe,
        step: retreats.select(safe.t, now.t),
        zooming: c.zooming.or(found),
        finished: met.or(failed),
        evaluations,
      };
    },
    {
      last: start,
      low: start,
      high: start,
      third: best,
      safe: best,
      step: zero,
      zooming: no,
      finished: no,
      evaluations: most.full(0, [], "i32"),
    },
  );
  return { t: end.step, evaluations: end.evaluations };
}
