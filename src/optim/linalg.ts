import type { Tensor } from "../ops/tensor.ts";
import { whileLoop } from "../trace/control.ts";

/** Sweeps of Jacobi rotations at most: eight are usual at size 500. */
const SWEEPS = 30;

export function identityLike(x: Tensor, n: number): Tensor {
  return x.iota([n], 0).oneHot(n);
}

/** [..., n at `axis`, ...] as a matrix [n, others]. */
export function unfold(x: Tensor, axis: number): Tensor {
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  return x.transpose([axis, ...others]).reshape([x.shape[axis] as number, -1]);
}

/** The matrix [k, n] times every column of `axis`: [..., n, ...] -> [..., k, ...]. */
export function alongAxis(x: Tensor, axis: number, matrix: Tensor): Tensor {
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  const order = [axis, ...others];
  const product = matrix.matmul(unfold(x, axis));
  const shape = [product.shape[0] as number, ...others.map((i) => x.shape[i] as number)];
  return product.reshape(shape).transpose(x.shape.map((_, i) => order.indexOf(i)));
}

/** i32[n]: the indices of a vector's values from the largest to the smallest, the first first where they are equal. */
export function descendingOrder(values: Tensor): Tensor {
  const n = values.shape[0] as number;
  const other = values.reshape([1, n]);
  const own = values.reshape([n, 1]);
  const earlier = values.iota([n, n], 1).less(values.iota([n, n], 0));
  const rank = other.greater(own).or(other.equal(own).and(earlier)).cast("f32").sum(1).cast("i32");
  const holds = rank.reshape([1, n]).equal(rank.iota([n, n], 0));
  return holds
    .select(rank.iota([n, n], 1).cast("f32"), 0)
    .sum(1)
    .cast("i32");
}

/** In units of the largest absolute value, and that; 1 for zeros. Squares then neither overflow nor vanish. */
function normalized(a: Tensor): readonly [scaled: Tensor, unit: Tensor] {
  const largest = a.abs().max();
  const unit = largest.greater(0).select(largest, largest.onesLike());
  return [a.div(unit), unit];
}

/** Who meets whom in a round of a tournament of n: after n rounds (n - 1 if n is even) all have met. Alone: itself. */
function partners(round: Tensor, n: number): Tensor {
  const odd = n % 2 === 1 ? n : n - 1;
  const i = round.iota([n], 0);
  const mirrored = round
    .mul(2)
    .add(2 * odd)
    .sub(i)
    .rem(odd);
  if (n === odd) return mirrored;
  return i.equal(odd).select(round, mirrored.equal(i).select(i.full(odd), mirrored));
}

/**
 * One-sided Jacobi: rotates the rows of a matrix [n, m] in pairs until all are orthogonal, to sqrt(m) roundings of their
 * lengths, and the rows of `along` [n, k] with them. A round turns all its pairs at once.
 */
function orthogonalizeRows(matrix: Tensor, along: Tensor): { readonly rows: Tensor; readonly along: Tensor } {
  const [n, m] = matrix.shape as readonly [number, number];
  if (n === 1) return { rows: matrix, along };
  const rounds = n % 2 === 1 ? n : n - 1;
  const start = { rows: matrix, along, round: matrix.full(0, [], "i32"), turned: matrix.full(0, [], "f32") };
  return whileLoop(
    ({ round, turned }) =>
      round
        .equal(0)
        .or(round.rem(rounds).notEqual(0))
        .or(turned.greater(0))
        .and(round.less(SWEEPS * rounds)),
    ({ rows, along, round, turned }) => {
      const place = round.rem(rounds);
      const other = partners(place, n);
      const self = other.iota([n], 0);
      const squares = rows.square().sum(1);
      const across = rows.mul(rows.gather(other)).sum(1);

      // What rounding cannot tell from orthogonal stays: adding it to the lengths' product changes nothing.
      const lengths = squares.sqrt().mul(squares.gather(other).sqrt());
      const turns = lengths.add(across.abs().mul(0.5 / Math.sqrt(m))).greater(lengths);
      const cotangent = squares.gather(other).sub(squares).div(across.mul(2));
      const tangent = cotangent.abs().add(cotangent.square().add(1).sqrt()).reciprocal();
      const signed = turns.and(self.notEqual(other)).select(cotangent.less(0).select(tangent.neg(), tangent), 0);
      // Both rows of a pair turn by what the first of them found.
      const first = self.minimum(other);
      const t = signed.gather(first).mul(self.equal(first).select(self.full(-1, [n], "f32"), 1));
      const c = t.square().add(1).rsqrt();
      const turn = (x: Tensor): Tensor => x.add(x.gather(other).mul(t.reshape([n, 1]))).mul(c.reshape([n, 1]));
      const before = place.equal(0).select(turned.zerosLike(), turned);
      return {
        rows: turn(rows),
        along: turn(along),
        round: round.add(1),
        turned: before.add(signed.notEqual(0).cast("f32").sum()),
      };
    },
    start,
  );
}

/**
 * The eigenvalues, f32[n], of a symmetric matrix [n, n] without negative ones, from the largest, and its eigenvectors as rows,
 * f32[n, n]: a = vectorsᵀ diag(values) vectors.
 */
export function eigh(a: Tensor): { readonly values: Tensor; readonly vectors: Tensor } {
  const n = a.shape[0] as number;
  const [scaled, unit] = normalized(a);
  const { rows, along } = orthogonalizeRows(scaled, identityLike(a, n));
  const values = rows.mul(along).sum(1);
  const order = descendingOrder(values);
  return { values: values.gather(order).mul(unit), vectors: along.gather(order) };
}

/** a^(-1/p) of a symmetric matrix whose eigenvalues count as `floor`, f32[], at least. */
export function inverseRoot(a: Tensor, p: number, floor: Tensor): Tensor {
  const { values, vectors } = eigh(a);
  const roots = values
    .maximum(floor)
    .log()
    .mul(-1 / p)
    .exp();
  return vectors.transpose().matmul(vectors.mul(roots.reshape([-1, 1])));
}

/**
 * The singular values f32[n] of a matrix [n, m] with n at most m, from the largest, and the directions f32[n, m] of its rows'
 * space as rows. A direction's largest entry is positive; those of singular values 0 are 0.
 */
export function svd(a: Tensor): { readonly values: Tensor; readonly directions: Tensor } {
  const n = a.shape[0] as number;
  const [scaled, unit] = normalized(a);
  const { rows } = orthogonalizeRows(scaled, a.full(0, [n, 1]));
  const lengths = rows.square().sum(1).sqrt();
  const order = descendingOrder(lengths);
  const sorted = lengths.gather(order);
  const top = rows.gather(order);
  const positive = top.max(1).greaterEqual(top.neg().max(1)).select(sorted.onesLike(), -1);
  const scale = sorted.greater(0).select(positive.div(sorted), 0);
  return { values: sorted.mul(unit), directions: top.mul(scale.reshape([n, 1])) };
}

/** The largest singular value of a matrix. */
export function spectralNorm(a: Tensor): Tensor {
  const [n, m] = a.shape as readonly [number, number];
  return svd(n <= m ? a : a.transpose()).values.max();
}

/** Q of the QR decomposition of a square matrix, by Householder's reflections: orthogonal even where a is singular. */
export function orthonormalColumns(a: Tensor): Tensor {
  const n = a.shape[0] as number;
  const [scaled] = normalized(a);
  const { q } = whileLoop(
    ({ k }) => k.less(n - 1),
    ({ q, r, k }) => {
      const at = k.iota([n], 0);
      const x = at.greaterEqual(k).select(r.gather(k, 1), 0);
      const head = at.equal(k).select(x, 0);
      const length = x.square().sum().sqrt();
      const towards = head.sum().less(0).select(length.neg(), length);
      const v = x.add(at.equal(k).select(towards.broadcastTo([n]), 0));
      const square = v.square().sum();
      const scale = square.greater(0).select(square.rdiv(2), 0);
      const column = v.reshape([n, 1]);
      const row = v.reshape([1, n]);
      return {
        q: q.sub(q.matmul(column).mul(row).mul(scale)),
        r: r.sub(column.mul(row.matmul(r)).mul(scale)),
        k: k.add(1),
      };
    },
    { q: identityLike(a, n), r: scaled, k: a.full(0, [], "i32") },
  );
  return q;
}
