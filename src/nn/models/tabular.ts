import { formatAval } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { Tensor } from "../../ops/tensor.ts";
import { relu } from "../activations.ts";
import { compose } from "../compose.ts";
import { dropout as dropoutLayer } from "../dropout.ts";
import { embedding } from "../embedding.ts";
import { normal } from "../init.ts";
import { configOf, expectCount, type Layer } from "../layer.ts";
import { linear } from "../linear.ts";
import { sequential } from "../sequential.ts";

export type TabularOptions = {
  /** Classes, or 1 for a number. */
  readonly outputs: number;
  /** Units of each hidden layer. Default [128, 64]. */
  readonly hidden?: readonly number[];
  /** After each hidden layer. Default 0: none. */
  readonly dropout?: number;
  /** Rows of the embeddings' table: the levels of all embedded columns together. Default 0: no column is embedded. */
  readonly levels?: number;
  /** Size of each embedded value's vector. Default 8. */
  readonly width?: number;
};

/** Rows of a table: numbers f32[N, K], or these and indices i32[N, C] of embedded categories. */
export type TabularInputs = Tensor | { readonly numbers?: Tensor; readonly categories: Tensor };

/**
 * A multi-layer perceptron for rows of a table: each embedded category's vector (`embedding`) beside the numbers, then linear and
 * relu for each hidden size, then linear to the outputs (`layers`). f32[N, K], or { numbers: f32[N, K], categories: i32[N, C] },
 * -> f32[N, outputs].
 *
 * All embedded columns share one table, each with rows of its own. Its vectors start normal with std 0.1, so that a value that
 * training never saw says little; all else as `nn.linear`.
 *
 * Errors: OptionError for options out of range; ShapeError where there are categories without `levels`, or the other way.
 *
 * @example
 * const net = nn.tabular({ outputs: 3, hidden: [32] });
 * nn.model(net).init(1, { dtype: "f32", shape: [8, 5] }).output.shape // -> [8, 3]
 */
export function tabular(options: TabularOptions): Layer<TabularInputs> {
  const { outputs, hidden = [128, 64], dropout = 0, levels = 0, width = 8 } = options;
  for (const [name, value] of Object.entries({ outputs, width })) expectCount("tabular", name, value);
  for (const size of hidden) expectCount("tabular", "hidden", size);
  if (!(Number.isSafeInteger(levels) && levels >= 0))
    throw new OptionError(`tabular: got levels ${levels}; expected a whole number from 0.`);
  const inner = hidden.flatMap((size) => [linear(size), relu(), ...(dropout > 0 ? [dropoutLayer(dropout)] : [])]);
  const layers = sequential(...inner, linear(outputs));
  const config = configOf("tabular", options);
  if (levels === 0)
    return compose({ layers }, (x: TabularInputs, at) => at.layers(x instanceof Tensor ? x : refuse(x)), config);
  return compose(
    { embedding: embedding(levels, width, { weightInit: normal({ std: 0.1 }) }), layers },
    (x: TabularInputs, at) => {
      if (x instanceof Tensor) return refuse(x);
      const { numbers, categories } = x;
      const vectors = at.embedding(categories);
      const flat = vectors.reshape([categories.shape[0] as number, (categories.shape[1] as number) * width]);
      return at.layers(numbers === undefined ? flat : numbers.concat([flat], 1));
    },
    config,
  );
}

function refuse(x: TabularInputs): never {
  if (x instanceof Tensor)
    throw new ShapeError(
      `tabular: got ${formatAval(x.aval)}; expected { numbers, categories }, as the model has levels to embed.`,
    );
  throw new ShapeError("tabular: got categories; expected numbers f32[N, K] alone, as the model has no levels.");
}
