import { OptionError } from "../../core/errors.ts";
import { leavesOf } from "../../core/tree.ts";
import { applyLayer } from "../../nn/context.ts";
import { Tensor } from "../../ops/tensor.ts";
import { backward } from "../../trace/backward.ts";
import { tracerOf } from "../../trace/trace.ts";
import type { AnyModel, TensorTree } from "../task.ts";

/** A layer with feature maps f32[N, K, h, w] as it was applied. */
export type SeenLayer = { readonly path: string; readonly kind: string; readonly maps: Tensor };

type Seen = {
  readonly output: TensorTree;
  readonly layer: SeenLayer;
  /** The gradient of a scalar with respect to the layer's output. */
  readonly gradientOf: (scalar: Tensor) => Tensor;
};

/** Applies the model in evaluation mode; answers the layer at `path`, or the last before pooling that follows the last convolution. */
export function featureMaps(
  { layer }: AnyModel,
  params: TensorTree,
  buffers: TensorTree,
  x: Tensor,
  path: string | undefined,
): Seen {
  const tracer = tracerOf(x);
  const start = tracer.equations.length;
  const { kind: root } = layer.config;
  const seen: SeenLayer[] = [];
  const kinds = new Set<string>();
  const output = applyLayer(
    {
      training: false,
      key: undefined,
      buffers: new Map(leavesOf<Tensor>(buffers, root)),
      observer: (at, { config: { kind } }) => {
        kinds.add(kind);
        return (found) => {
          // A layer inside a nested program has values that are not this trace's.
          if (found instanceof Tensor && found.rank === 4 && tracerOf(found) === tracer)
            seen.push({ path: at === root ? at : at.slice(root.length + 1), kind, maps: found });
        };
      },
    },
    layer,
    params,
    x,
  );
  const found = path === undefined ? lastMaps(seen, kinds) : named(seen, path);
  return {
    output,
    layer: found,
    gradientOf: (scalar) => {
      const [gradient] = backward(tracer, start, [found.maps], [scalar], [scalar.onesLike()]);
      return gradient ?? found.maps.zerosLike();
    },
  };
}

const isSpread = ({ maps }: SeenLayer): boolean => (maps.shape[2] as number) * (maps.shape[3] as number) > 1;

function lastMaps(seen: readonly SeenLayer[], kinds: ReadonlySet<string>): SeenLayer {
  const attention = [...kinds].find((kind) => /attention|transformer/i.test(kind));
  if (attention !== undefined)
    throw new OptionError(
      `gradCam: got a model with ${attention} after its convolutions; expected a convolutional network. Hint: gradientTimesInput suits any model.`,
      "layer",
    );
  const last = seen.findLastIndex((each) => /conv/i.test(each.kind) && isSpread(each));
  const conv = seen[last];
  if (conv === undefined)
    throw new OptionError(
      "gradCam: got a model without a convolution whose maps are larger than 1x1; expected a convolutional network. Hint: gradientTimesInput suits any model.",
      "layer",
    );
  const size = conv.maps.shape.slice(2).join();
  return (
    seen.findLast(
      ({ kind, maps }, i) => i >= last && maps.shape.slice(2).join() === size && !/pool|upsample|pad/i.test(kind),
    ) ?? conv
  );
}

function named(seen: readonly SeenLayer[], path: string): SeenLayer {
  const found = seen.findLast((each) => each.path === path);
  if (found !== undefined) return found;
  throw new OptionError(
    `gradCam: got the layer ${path}; expected one with feature maps [N,K,h,w]: ${seen.map((each) => each.path).join(", ") || "there is none"}.`,
    "layer",
  );
}

/** relu(sum over k of mean(gradient[k]) A[k]), f32[N, h, w]. */
export function camOf(maps: Tensor, gradient: Tensor): Tensor {
  const weights = gradient.mean([2, 3], { keepDims: true });
  return weights.mul(maps).sum(1).relu();
}
