import { formatAval, type Shape } from "../../core/dtype.ts";
import { OptionError, ShapeError } from "../../core/errors.ts";
import { Tensor } from "../../ops/tensor.ts";
import type { TensorTree } from "../../trace/grad.ts";
import type { Key } from "../../trace/random.ts";
import { type Augmentation, likePictures, type MixedLabels, perPicture } from "./augmentation.ts";

const ROUNDS = 8;

/**
 * Draws from Beta(alpha, alpha), in [0, 1]. Above alpha 0.5 in closed form: 1/2 + sqrt(1 - u^(2 / (2 alpha - 1))) cos(2 pi v) / 2
 * (Ulrich, 1984). Else by Johnk's rejection of u^(1/alpha) + v^(1/alpha) > 1 in eight rounds: fewer than one in 10^5 is left.
 */
export function symmetricBeta(key: Key, alpha: number, shape: Shape): Tensor {
  const open = (name: string): Tensor =>
    key
      .fold(name)
      .uniform(shape)
      .add(2 ** -25);
  if (alpha > 0.5) {
    const radius = open("u")
      .log()
      .mul(2 / (2 * alpha - 1))
      .exp()
      .rsub(1)
      .maximum(0)
      .sqrt();
    return radius
      .mul(
        open("v")
          .mul(2 * Math.PI)
          .cos(),
      )
      .mul(0.5)
      .add(0.5)
      .clip(0, 1);
  }
  return Array.from({ length: ROUNDS }, (_, i) => {
    const [u, v] = [open(`u${i}`).log().div(alpha), open(`v${i}`).log().div(alpha)];
    return { share: u.sub(v).sigmoid(), taken: u.exp().add(v.exp()).lessEqual(1) };
  }).reduceRight((later, { share, taken }) => ({ share: taken.select(share, later.share), taken })).share;
}

/** The share of itself that each picture keeps, f32[N, 1, 1, 1]. */
type Keep = (key: Key, pictures: Tensor) => Tensor;

/** What pictures show before they are mixed: labels, or what an earlier mixture left. */
function shownBefore(targets: TensorTree | MixedLabels, kind: string): MixedLabels {
  if (!(targets instanceof Tensor) && "shares" in targets) return targets as MixedLabels;
  if (!(targets instanceof Tensor) || targets.rank !== 1 || targets.dtype !== "i32")
    throw new OptionError(
      `fit: got augment.${kind} with targets ${targets instanceof Tensor ? formatAval(targets.aval) : "of several parts"}; expected a label for each picture.`,
      "augment",
    );
  const labels = targets.unsqueeze(1);
  return { labels, shares: labels.full(1, labels.shape, "f32") };
}

function probabilities(output: TensorTree, { labels, shares }: MixedLabels): Tensor {
  if (!(output instanceof Tensor) || output.rank !== 2)
    throw new ShapeError(
      `fit: got pictures mixed by augment and an output ${output instanceof Tensor ? formatAval(output.aval) : "of several parts"}; expected f32[N, C], a score for each class.`,
    );
  const classes = output.shape[1] as number;
  const each = shares.unsqueeze(2).broadcastTo([...labels.shape, classes]);
  return labels.oneHot(classes).mul(each).sum(1);
}

function mixLabels({ labels, shares }: MixedLabels, keep: Tensor): MixedLabels {
  const own = keep.reshape([keep.shape[0] as number, 1]).broadcastTo(shares.shape);
  return {
    labels: labels.concat([labels.flip(0)], 1),
    shares: shares.mul(own).concat([shares.flip(0).mul(own.rsub(1))], 1),
  };
}

function checkAlpha(name: string, alpha: number): void {
  if (!(alpha >= 0.01 && Number.isFinite(alpha)))
    throw new OptionError(`augment.${name}: got alpha ${alpha}; expected a number of at least 0.01.`, "alpha");
}

/** l x + (1 - l) of the batch backwards. */
export function blended(x: Tensor, keep: Tensor): Tensor {
  const [own, other] = [x.cast("f32"), x.flip(0).cast("f32")];
  const share = keep.broadcastTo(x.shape);
  return own.mul(share).add(other.mul(share.rsub(1)));
}

/**
 * Mixes each picture with another of its batch, and what they show alike: l x + (1 - l) x', l from Beta(alpha, alpha), x' the
 * picture at the same place counted from the batch's end. The loss takes probabilities: `nn.crossEntropy`; metrics while training
 * take the label with the greatest share. As torchvision v2's `MixUp`, save that each picture has an l of its own.
 * Source: Zhang et al. (2017), arXiv:1710.09412.
 *
 * Throws OptionError for an alpha below 0.01.
 *
 * @example
 * fit(model, { ...options, augment: [augment.flip(), augment.mixup(0.2)] })
 */
export function mixup(alpha = 0.2): Augmentation {
  checkAlpha("mixup", alpha);
  const keep: Keep = (key, x) => symmetricBeta(key, alpha, perPicture(x));
  return {
    config: { kind: "mixup", alpha },
    apply: (x, key) => likePictures(blended(x, keep(key, x)), x),
    mixLabels: (targets, key, x) => mixLabels(shownBefore(targets, "mixup"), keep(key, x)),
    probabilities,
  };
}

/** From `first` on, before `end`, of places in pixels: f32[N, 1, 1, 1]. */
type Span = { readonly first: Tensor; readonly end: Tensor };

/** The rectangle, a share 1 - l of the area about a centre in the picture, as far as it lies inside. */
function rectangle(
  key: Key,
  alpha: number,
  x: Tensor,
): { readonly down: Span; readonly across: Span; readonly keep: Tensor } {
  const [, , height = 1, width = 1] = x.shape;
  const part = symmetricBeta(key.fold("share"), alpha, perPicture(x)).rsub(1).maximum(0).sqrt();
  const span = (name: string, size: number): Span => {
    const centre = key.fold(name).uniform(perPicture(x)).mul(size).floor();
    const half = part.mul(size / 2).floor();
    return { first: centre.sub(half).maximum(0), end: centre.add(half).minimum(size) };
  };
  const [down, across] = [span("y", height), span("x", width)];
  const area = down.end.sub(down.first).mul(across.end.sub(across.first));
  return { down, across, keep: area.mul(-1 / (height * width)).add(1) };
}

/**
 * Puts a rectangle of another picture of the batch into each, and mixes what they show by area: a share 1 - l of it, l from
 * Beta(alpha, alpha), about any centre, as far as it lies inside. Otherwise as `mixup`. As torchvision v2's `CutMix`, save that
 * each picture has a rectangle of its own. Source: Yun et al. (2019), arXiv:1905.04899.
 *
 * Throws OptionError for an alpha below 0.01.
 *
 * @example
 * fit(model, { ...options, augment: [augment.flip(), augment.cutmix(1)] })
 */
export function cutmix(alpha = 1): Augmentation {
  checkAlpha("cutmix", alpha);
  return {
    config: { kind: "cutmix", alpha },
    apply(x, key) {
      const { shape } = x;
      const { down, across } = rectangle(key, alpha, x);
      const inside = (axis: number, { first, end }: Span): Tensor => {
        const at = x.iota(shape, axis, "f32");
        return at.greaterEqual(first.broadcastTo(shape)).and(at.less(end.broadcastTo(shape)));
      };
      return inside(2, down).and(inside(3, across)).select(x.flip(0), x);
    },
    mixLabels: (targets, key, x) => mixLabels(shownBefore(targets, "cutmix"), rectangle(key, alpha, x).keep),
    probabilities,
  };
}
