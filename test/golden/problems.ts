import { readFileSync } from "node:fs";
import { array, type HostArray } from "../../src/core/host-array.ts";
import type { Tree } from "../../src/core/tree.ts";
import type { Tensor } from "../../src/ops/tensor.ts";
import type { Examples } from "../../src/trace/update-context.ts";

type Data = {
  readonly quadratic: { readonly h: number[]; readonly b: number[]; readonly start: number[] };
  readonly rosenbrock: { readonly start: number[] };
  readonly mlp: {
    readonly x: number[][];
    readonly y: number[][];
    readonly start: Readonly<Record<"hidden" | "output", { readonly weight: number[][]; readonly bias: number[] }>>;
  };
  readonly matrices: MatricesData;
  readonly square: MatricesData;
  readonly pairs: {
    readonly pairs: [i: number, j: number, y: number][];
    readonly weight: Nested;
    readonly bias: Nested;
  };
};

type MatricesData = Readonly<Record<"a" | "y" | "h" | "b", Nested>> & {
  readonly start: Readonly<Record<"weight" | "kernel" | "vector", Nested>>;
};

type Nested = readonly (number | Nested)[];

const { quadratic, rosenbrock, mlp, matrices, square, pairs }: Data = JSON.parse(
  readFileSync(new URL("../../golden/optim/problems.json", import.meta.url), "utf8"),
);

const doubles = (values: Nested): HostArray => {
  const { shape } = array(values as number[]);
  return array(Float64Array.from((values as number[]).flat(Number.POSITIVE_INFINITY) as number[]), shape, "f32");
};

type Leaf = Readonly<Record<string, Tensor>>;

function mlpError(params: Tree<Tensor>, x: Tensor, y: Tensor): Tensor {
  const { hidden, output } = params as { readonly hidden: Leaf; readonly output: Leaf };
  const linear = (layer: Leaf, x: Tensor): Tensor =>
    x.matmul((layer.weight as Tensor).transpose()).add(layer.bias as Tensor);
  return linear(output, linear(hidden, x).tanh()).sub(y).square().mean();
}

/** A loss to walk down: its parameters in the order of the golden files, and the function. */
export type Problem = {
  readonly start: Tree<HostArray>;
  readonly loss: (params: Tree<Tensor>) => Tensor;
  /** The examples of whose losses the loss is the mean. */
  readonly examples?: (params: Tree<Tensor>) => Examples;
};

/** |A W - Y|² / 2 + sum h (k - b)² / 2 + |c|² / 2 - sum c. */
function ofMatrices(data: MatricesData): Problem {
  return {
    start: {
      weight: doubles(data.start.weight),
      kernel: doubles(data.start.kernel),
      vector: doubles(data.start.vector),
    },
    loss(params) {
      const { weight, kernel, vector } = params as Readonly<Record<"weight" | "kernel" | "vector", Tensor>>;
      const given = (name: "a" | "y" | "h" | "b"): Tensor => weight.constant(doubles(data[name]));
      const half = (x: Tensor): Tensor => x.sum().mul(0.5);
      return half(given("a").matmul(weight).sub(given("y")).square())
        .add(half(kernel.sub(given("b")).square().mul(given("h"))))
        .add(half(vector.square()))
        .sub(vector.sum());
    },
  };
}

export const problems: Readonly<Record<string, Problem>> = {
  /** sum_i h_i (x_i - b_i)² / 2 */
  quadratic: {
    start: { x: doubles(quadratic.start) },
    loss(params) {
      const { x } = params as { readonly x: Tensor };
      const distance = x.sub(x.constant(doubles(quadratic.b)));
      return distance
        .square()
        .mul(x.constant(doubles(quadratic.h)))
        .sum()
        .mul(0.5);
    },
    /** 2 h_i (x_i - b_i)² */
    examples(params) {
      const { x } = params as { readonly x: Tensor };
      const unit = array(
        Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 2 : 0)),
        [4, 4],
        "f32",
      );
      const weights = x.constant(unit).mul(x.constant(doubles(quadratic.h)));
      const loss = (at: Tree<Tensor>, example: Tree<Tensor>): Tensor => {
        const { x } = at as { readonly x: Tensor };
        const { weights } = example as { readonly weights: Tensor };
        return x
          .sub(x.constant(doubles(quadratic.b)))
          .square()
          .mul(weights)
          .sum();
      };
      return { batch: { weights }, loss };
    },
  },
  /** ((1 - x)² + 100 (y - x²)²) / 100 */
  rosenbrock: {
    start: { xy: doubles(rosenbrock.start) },
    loss(params) {
      const { xy } = params as { readonly xy: Tensor };
      const x = xy.slice([0], [1]).sum();
      const y = xy.slice([1], [2]).sum();
      return x.rsub(1).square().mul(0.01).add(y.sub(x.square()).square());
    },
  },
  /** Mean squared error of W2 tanh(W1 x + b1) + b2. */
  mlp: {
    start: {
      hidden: { weight: doubles(mlp.start.hidden.weight), bias: doubles(mlp.start.hidden.bias) },
      output: { weight: doubles(mlp.start.output.weight), bias: doubles(mlp.start.output.bias) },
    },
    loss(params) {
      const { hidden } = params as { readonly hidden: Leaf };
      const points = (hidden.weight as Tensor).constant(doubles(mlp.x));
      return mlpError(params, points, points.constant(doubles(mlp.y)));
    },
    examples(params) {
      const { hidden } = params as { readonly hidden: Leaf };
      const points = (hidden.weight as Tensor).constant(doubles(mlp.x));
      return {
        batch: { x: points, y: points.constant(doubles(mlp.y)) },
        loss(at, example) {
          const { x, y } = example as { readonly x: Tensor; readonly y: Tensor };
          return mlpError(at, x, y);
        },
      };
    },
  },
  matrices: ofMatrices(matrices),
  square: ofMatrices(square),
  /** sum over (i, j, y) of max(0, 1 - y (<w_i, w_j> + b_i)). */
  pairs: {
    start: { weight: doubles(pairs.weight), bias: doubles(pairs.bias) },
    loss(params) {
      const { weight, bias } = params as { readonly weight: Tensor; readonly bias: Tensor };
      const column = (k: 0 | 1): Tensor =>
        weight.constant(
          array(
            pairs.pairs.map((pair) => pair[k]),
            [pairs.pairs.length],
            "i32",
          ),
        );
      const y = weight.constant(doubles(pairs.pairs.map((pair) => pair[2])));
      const score = weight
        .gather(column(0))
        .mul(weight.gather(column(1)))
        .sum(1)
        .add(bias.gather(column(0)));
      return score.mul(y).rsub(1).relu().sum();
    },
  },
};
