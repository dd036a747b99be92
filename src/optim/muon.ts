import { OptionError } from "../core/errors.ts";
import { leavesOf, zipTrees } from "../core/tree.ts";
import type { Tensor } from "../ops/tensor.ts";
import { adam } from "./adam.ts";
import { type DispatchState, dispatch, type Share } from "./dispatch.ts";
import {
  biasCorrectionOf,
  type HyperSpecs,
  type OwnDecayOptions,
  oneMinus,
  ownDecayHypers,
  type Rule,
  resolve,
  transformOf,
  type Values,
  zerosLike,
} from "./hyper.ts";
import { momentHypers, movingAverage } from "./moments.ts";
import { nadam } from "./nadam.ts";
import { DION, newtonSchulz, type Preconditioning, type Quintic } from "./newton-schulz.ts";
import { matchParameters, type ParameterPattern } from "./parameters.ts";
import type { Hyper } from "./schedules/schedule.ts";
import type { TensorTree, Transform, UpdateContext } from "./transform.ts";

const hypers = {
  rate: { type: "number", default: 1e-3, min: 0, text: "a, the learning rate" },
  momentum: { type: "number", default: 0.95, min: 0, below: 1, text: "mu, decay of the gradients' mean" },
  nesterov: { type: "flag", default: true, text: "look ahead: mu m + (1 - mu) g" },
  adjustRate: {
    type: "choice",
    choices: ["original", "matchRmsAdamw", "spectralUnclamped", "none"],
    default: "original",
    like: { keras: "matchRmsAdamw" },
    text: "what the step is multiplied by: sqrt(max(1, out / in)), rms sqrt(max(out, in)), sqrt(out / in) or 1",
  },
  rms: { type: "number", default: 0.2, min: 0, text: "of the step's entries with matchRmsAdamw" },
  nsSteps: {
    type: "number",
    default: 5,
    min: 1,
    max: 99,
    integer: true,
    fixed: true,
    text: "steps of the Newton-Schulz iteration",
  },
  coefficients: {
    type: "choice",
    choices: ["constant", "dion"],
    default: "constant",
    text: "nsA, nsB and nsC in each step, or the five of Dion",
  },
  nsA: { type: "number", default: 3.4445, text: "of x in a step" },
  nsB: { type: "number", default: -4.775, text: "of (x xᵀ) x in a step" },
  nsC: { type: "number", default: 2.0315, text: "of (x xᵀ)² x in a step" },
  preconditioning: {
    type: "choice",
    choices: ["frobenius", "spectral", "aol", "schatten"],
    default: "frobenius",
    text: "norm that the matrix is divided by before the first step",
  },
  eps: { type: "number", default: 1e-7, min: 0, like: { optax: 1e-8 }, text: "keeps that division finite" },
  adaptive: { type: "flag", default: false, text: "times the dual norm of the mean, <mean, step>" },
  params: { type: "parameters", default: null, text: "matrices that are orthogonalised; by default all" },
  kernels: {
    type: "flag",
    default: true,
    like: { optax: false, keras: false },
    text: "kernels of convolutions too, as matrices [out, in kh kw]",
  },
  weightDecay: {
    type: "number",
    default: 0.1,
    min: 0,
    like: { optax: null, keras: 4e-3 },
    text: "lambda of decoupled weight decay, of the matrices",
  },
  noDecay: ownDecayHypers.noDecay,
  adamRate: {
    type: "number",
    default: null,
    min: 0,
    text: "learning rate of all others; by default that of the matrices",
  },
  adamRateFactor: { type: "number", default: 1, min: 0, text: "times the learning rate of all others" },
  adamBeta1: { ...momentHypers.beta1, text: "beta1 of all others" },
  adamBeta2: { ...momentHypers.beta2, text: "beta2 of all others" },
  adamEps: { ...momentHypers.eps, like: { keras: 1e-7 }, text: "eps of all others" },
  adamEpsRoot: { ...momentHypers.epsRoot, text: "eps inside the root, of all others" },
  adamWeightDecay: {
    type: "number",
    default: 0.01,
    min: 0,
    like: { optax: null, keras: 4e-3 },
    text: "lambda of decoupled weight decay, of all others",
  },
  like: {
    type: "choice",
    choices: ["pytorch", "optax", "keras"],
    default: "pytorch",
    text: "form of the mean, scale, place of eps, the others' Adam",
  },
} as const satisfies HyperSpecs;

type MuonValues = Omit<Values<typeof hypers>, "weightDecay" | "adamWeightDecay"> & {
  readonly weightDecay: Hyper | undefined;
  readonly adamWeightDecay: Hyper | undefined;
};

export type MuonOptions = OwnDecayOptions & {
  /** mu. Default 0.95. */
  readonly momentum?: Hyper;
  /** Default true. */
  readonly nesterov?: boolean;
  /** Default "original", as PyTorch and optax (like Keras: "matchRmsAdamw"). */
  readonly adjustRate?: "original" | "matchRmsAdamw" | "spectralUnclamped" | "none";
  /** Only for `adjustRate: "matchRmsAdamw"`: optax's `consistent_rms`, Keras's `rms_rate`. Default 0.2. */
  readonly rms?: Hyper;
  /** Default 5. */
  readonly nsSteps?: number;
  /** Default "constant". */
  readonly coefficients?: "constant" | "dion";
  /** Default 3.4445. */
  readonly nsA?: Hyper;
  /** Default -4.775. */
  readonly nsB?: Hyper;
  /** Default 2.0315. */
  readonly nsC?: Hyper;
  /** Default "frobenius". */
  readonly preconditioning?: Preconditioning;
  /** Default 1e-7, as PyTorch and Keras (like optax: 1e-8). */
  readonly eps?: Hyper;
  /** Default false. */
  readonly adaptive?: boolean;
  /** Which matrices are orthogonalised, such as "!embedding, !head". Default: all. */
  readonly params?: ParameterPattern;
  /** Default true (like optax and Keras: false). */
  readonly kernels?: boolean;
  /** lambda of the matrices. Default 0.1, as PyTorch (like Keras: 4e-3; like optax left out). */
  readonly weightDecay?: Hyper;
  /** Default: the rate. */
  readonly adamRate?: Hyper;
  /** Default 1. */
  readonly adamRateFactor?: Hyper;
  /** Default 0.9. */
  readonly adamBeta1?: Hyper;
  /** Default 0.999. */
  readonly adamBeta2?: Hyper;
  /** Default 1e-8 (like Keras: 1e-7). */
  readonly adamEps?: Hyper;
  /** Left out by default. */
  readonly adamEpsRoot?: Hyper;
  /** lambda of all others. Default 0.01, that of torch.optim.AdamW (like Keras: 4e-3; like optax left out). */
  readonly adamWeightDecay?: Hyper;
  /** Default "pytorch". */
  readonly like?: "pytorch" | "optax" | "keras";
};

/** The matrices' part: the gradients' mean (like Keras, their sum). */
type MatrixState = { readonly m: TensorTree };

type Part = "matrices" | "others";

const asMatrix = (x: Tensor): Tensor => x.reshape([x.shape[0] as number, -1]);

function isMatrix(path: string, x: Tensor, { kernels, like }: MuonValues): boolean {
  if (like === "keras" && /embedding/i.test(path)) return false;
  return kernels ? x.rank >= 2 : x.rank === 2;
}

function sharesOf(params: TensorTree, values: MuonValues): readonly (readonly [Part, ReadonlySet<string>])[] {
  const chosen = values.params === undefined ? undefined : matchParameters("muon.params", values.params, params);
  const matrices = new Set<string>();
  const others = new Set<string>();
  for (const [path, x] of leavesOf<Tensor>(params)) {
    const own = isMatrix(path, x, values) && (chosen?.has(path) ?? true);
    (own ? matrices : others).add(path);
  }
  return [
    ["matrices", matrices],
    ["others", others],
  ];
}

/** What the step of a matrix [out, in] is multiplied by. */
function scaleOf(ctx: UpdateContext, { adjustRate, rms }: MuonValues, x: Tensor): Tensor | number {
  const [out, into] = asMatrix(x).shape as readonly [number, number];
  if (adjustRate === "matchRmsAdamw") return ctx.hyper("rms", rms).mul(Math.sqrt(Math.max(out, into)));
  if (adjustRate === "none") return 1;
  return Math.sqrt(adjustRate === "original" ? Math.max(1, out / into) : out / into);
}

function stepsOf(ctx: UpdateContext, { coefficients, nsA, nsB, nsC, nsSteps, rate }: MuonValues): readonly Quintic[] {
  if (coefficients === "dion") {
    const a = ctx.hyper("rate", rate);
    return DION.map(([x, y, z]) => [a.full(x), a.full(y), a.full(z)] as const);
  }
  const quintic = [ctx.hyper("nsA", nsA), ctx.hyper("nsB", nsB), ctx.hyper("nsC", nsC)] as const;
  return Array.from({ length: nsSteps }, () => quintic);
}

/** The means that are orthogonalised, and what they are made of. */
function meansOf(
  ctx: UpdateContext,
  { momentum, nesterov, like }: MuonValues,
  state: TensorTree,
  gradients: TensorTree,
): readonly [means: TensorTree, m: TensorTree] {
  const mu = ctx.hyper("momentum", momentum);
  if (like === "keras") {
    const m = zipTrees<Tensor, Tensor>((_, m, g) => m.mul(mu).add(g as Tensor), state, gradients);
    return [nesterov ? zipTrees<Tensor, Tensor>((_, m, g) => m.mul(mu).add(g as Tensor), m, gradients) : m, m];
  }
  const m = movingAverage(ctx, "momentum", momentum, state, gradients);
  const rest = ctx.hyper("momentum", momentum, oneMinus);
  if (like === "pytorch") {
    const ahead = (m: Tensor, g: Tensor): Tensor => m.mul(mu).add(g.mul(rest));
    return [nesterov ? zipTrees<Tensor, Tensor>((_, m, g) => ahead(m, g as Tensor), m, gradients) : m, m];
  }
  const now = biasCorrectionOf(ctx, "momentum", momentum);
  if (!nesterov) return [zipTrees((_, m) => m.div(now), m), m];
  const ofM = mu.div(biasCorrectionOf(ctx, "momentum", momentum, 2));
  const ofG = rest.div(now);
  return [zipTrees<Tensor, Tensor>((_, m, g) => m.mul(ofM).add((g as Tensor).mul(ofG)), m, gradients), m];
}

function orthogonalized(values: MuonValues): Transform<MatrixState> {
  const { preconditioning, adaptive, like } = values;
  return {
    config: { name: "muon" },
    init: (params) => ({ m: zerosLike(params) }),
    update(gradients, state, ctx) {
      const a = ctx.hyper("rate", values.rate);
      const eps = ctx.hyper("eps", values.eps);
      const steps = stepsOf(ctx, values);
      const [means, m] = meansOf(ctx, values, state.m, gradients);
      const direction = (mean: Tensor): Tensor => {
        const matrix = asMatrix(mean);
        const found = newtonSchulz(matrix, steps, eps, { preconditioning, floor: like === "pytorch" });
        return (adaptive ? found.mul(found.mul(matrix).sum()) : found).reshape(mean.shape);
      };
      return [zipTrees((_, mean) => direction(mean).mul(a.mul(scaleOf(ctx, values, mean)).neg()), means), { m }];
    },
  };
}

/** The rates of all others: of their steps, and of their decay, which Keras's factor leaves alone. */
function adamRatesOf(
  ctx: UpdateContext,
  { rate, adamRate, adamRateFactor, like }: MuonValues,
): { readonly step: Tensor; readonly decay: Tensor } {
  const a = adamRate === undefined ? ctx.hyper("rate", rate) : ctx.hyper("adamRate", adamRate);
  const step = a.mul(ctx.hyper("adamRateFactor", adamRateFactor));
  return { step, decay: like === "keras" ? a : step };
}

const adamName = (name: string): string => `adam${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** Adam for all others, whose hyperparameters have names of their own. */
function fallback(values: MuonValues): Transform {
  const { like, nesterov, rate, adamBeta1: beta1, adamBeta2: beta2, adamEps: eps, adamEpsRoot } = values;
  const options = { beta1, beta2, eps, ...(adamEpsRoot !== undefined && { epsRoot: adamEpsRoot }) };
  const rule: Transform =
    like === "optax" && nesterov ? nadam(rate, { ...options, like }) : adam(rate, { ...options, like });
  return {
    config: rule.config,
    init: rule.init,
    update: (gradients, state, ctx) =>
      rule.update(gradients, state, {
        ...ctx,
        hyper: (name, value, map, every) =>
          name === "rate" ? adamRatesOf(ctx, values).step : ctx.hyper(adamName(name), value, map, every),
      }),
  };
}

/**
 * Muon: m = mu m + (1 - mu) g; x += -a lambda x - a s NS(mu m + (1 - mu) g), where NS sets a matrix's singular values to 1,
 * roughly, by Newton-Schulz steps x -> nsA x + nsB (x xᵀ) x + nsC (x xᵀ)² x; Adam for all that is no matrix.
 *
 * @param rate a, a number or a schedule. Default 1e-3.
 * @param options `momentum` mu 0.95, `nesterov` true, `adjustRate` "original", `nsSteps` 5, `nsA` 3.4445, `nsB` -4.775, `nsC` 2.0315,
 * `eps` 1e-7, `weightDecay` lambda 0.1, `adamWeightDecay` 0.01, `adamBeta1` 0.9, `adamBeta2` 0.999, `adamEps` 1e-8, `like`
 * "pytorch": as torch.optim.Muon with torch.optim.AdamW beside it.
 *
 * | like | the matrix orthogonalised | divided before by | s for [out, in] | kernels | all others |
 * |---|---|---|---|---|---|
 * | "pytorch" | m = mu m + (1 - mu) g; mu m + (1 - mu) g | max(norm, eps) | sqrt(max(1, out / in)) | [out, in kh kw] (PyTorch: refused) | AdamW, decay 0.01 |
 * | "optax" | mu m / (1 - mu^(t + 1)) + (1 - mu) g / (1 - mu^t) | norm + eps, 1e-8 | sqrt(max(1, out / in)) | Adam | NAdam (Adam without nesterov) |
 * | "keras" | m = mu m + g; mu m + g | norm + eps | 0.2 sqrt(max(out, in)) | Adam | Adam like Keras, decay 4e-3; also parameters with "embedding" in their name |
 *
 * A matrix is `[out, in]`, where optax's and Keras's are `[in, out]`. PyTorch iterates in bfloat16, here it is f32. `adjustRate`
 * "matchRmsAdamw" is rms sqrt(max(out, in)), so that AdamW's rates fit. `params` says which matrices are orthogonalised: leave
 * out embeddings and the last layer by "!embedding, !head". `coefficients` "dion" are Dion's five steps; `preconditioning` and
 * `adaptive` are optax's, "spectral" at the cost of a singular decomposition in each step. `weightDecay` is that of the
 * matrices, `adamWeightDecay` that of all others, both decoupled and with their own rate.
 *
 * Throws OptionError for a value out of range, and, when the state is made, for a pattern that matches nothing.
 *
 * Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al., "Muon is Scalable for LLM
 * Training", 2025 (matchRmsAdamw).
 *
 * @example
 * optim.muon(0.02, { params: "!head", adamRate: 1e-3 }).config.weightDecay // -> 0.1
 */
export function muon(rate?: Hyper, options: MuonOptions = {}): Transform<DispatchState> {
  const values: MuonValues = resolve("muon", hypers, rate, options);
  if (values.coefficients === "dion" && values.nsSteps !== DION.length)
    throw new OptionError(
      `muon: got nsSteps = ${values.nsSteps} with coefficients "dion"; expected ${DION.length}.`,
      "muon.nsSteps",
    );
  const transforms: Readonly<Record<Part, Transform>> = { matrices: orthogonalized(values), others: fallback(values) };
  const parts = dispatch(
    (params) => sharesOf(params, values).map(([name, paths]): Share => ({ name, paths, transform: transforms[name] })),
    Object.values(transforms),
  );
  return transformOf(muonRule, values, {
    ...parts,
    update(gradients, state, ctx) {
      const [updates, next] = parts.update(gradients, state, ctx);
      return [decay(updates, ctx, values), next];
    },
  });
}

/** u + -a lambda x, with the rate and the lambda of each parameter's part. */
function decay(updates: TensorTree, ctx: UpdateContext, values: MuonValues): TensorTree {
  const { weightDecay, adamWeightDecay, noDecay } = values;
  const without = noDecay === undefined ? undefined : matchParameters("muon.noDecay", noDecay, ctx.params);
  const strengths = new Map<string, Tensor>();
  for (const [name, paths] of sharesOf(ctx.params, values)) {
    const [hyper, own] =
      name === "matrices" ? (["weightDecay", weightDecay] as const) : (["adamWeightDecay", adamWeightDecay] as const);
    if (own === undefined || paths.size === 0) continue;
    const a = name === "matrices" ? ctx.hyper("rate", values.rate) : adamRatesOf(ctx, values).decay;
    const lambda = ctx.hyper(hyper, own);
    for (const path of paths) strengths.set(path, a.mul(lambda).neg());
  }
  return zipTrees<Tensor, Tensor>(
    (path, u, x) => {
      const strength = without?.has(path) ? undefined : strengths.get(path);
      return strength === undefined ? u : u.add((x as Tensor).mul(strength));
    },
    updates,
    ctx.params,
  );
}

export const muonRule: Rule = {
  name: "muon",
  role: "rule",
  equation: "m = mu m + (1 - mu) g; x += -a lambda x - a s NS(mu m + (1 - mu) g) for matrices, Adam for all others",
  source: "Jordan et al., 2024; Liu et al., 2025",
  equations: {
    pytorch: "m = mu m + (1 - mu) g; x += -a sqrt(max(1, out / in)) NS(mu m + (1 - mu) g)",
    optax: "x += -a sqrt(max(1, out / in)) NS(mu m / (1 - mu^(t + 1)) + (1 - mu) g / (1 - mu^t))",
    keras: "m = mu m + g; x += -a 0.2 sqrt(max(out, in)) NS(mu m + g)",
  },
  hypers,
  create: muon as Rule["create"],
};
