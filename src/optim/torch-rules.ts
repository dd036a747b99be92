import type { TorchValue } from "../io/torch-file.ts";

/** A rule's options as its config has them. */
export type Values = Readonly<Record<string, unknown>>;

/** How one of our rules is told in torch.optim's terms. */
export type TorchRule = {
  /** The class. */
  readonly torch: string;
  /** Whether it keeps `step`. */
  readonly counts: boolean;
  /** Whether it has `decoupled_weight_decay`. */
  readonly decouples?: boolean;
  /** For each parameter: PyTorch's name and ours. */
  readonly slots: (values: Values) => readonly (readonly [torch: string, ours: string])[];
  /** Numbers that PyTorch has for each parameter, and we once. */
  readonly scalars?: readonly (readonly [torch: string, ours: string])[];
  /** Numbers that PyTorch keeps for each parameter and we compute. */
  readonly derived?: (values: Values, updates: number) => Readonly<Record<string, number>>;
  /** Whether the velocity holds the rate. */
  readonly rateInside?: (values: Values) => boolean;
  /** What of the options PyTorch does not have. */
  readonly refuses?: (values: Values) => string | undefined;
  /** All of a parameter group but the rate, which `load_state_dict` takes whole. */
  readonly group: (values: Values) => Readonly<Record<string, TorchValue>>;
};

const number = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);
const flag = (value: unknown): boolean => value === true;
const decay = ({ weightDecay }: Values): number => number(weightDecay, 0);
const FLAGS = { maximize: false, foreach: null, capturable: false, differentiable: false, fused: null };
const betas = ({ beta1, beta2 }: Values): TorchValue => [number(beta1, 0.9), number(beta2, 0.999)];
const likeOf =
  (...likes: readonly string[]) =>
  ({ like }: Values): string | undefined =>
    like === undefined || likes.includes(String(like)) ? undefined : `like: "${String(like)}"`;
const optionOf =
  (...names: readonly string[]) =>
  (values: Values): string | undefined =>
    names.find((name) => values[name] !== undefined && values[name] !== false);
const any =
  (...checks: readonly ((values: Values) => string | undefined)[]) =>
  (values: Values): string | undefined =>
    checks.map((check) => check(values)).find((found) => found !== undefined);

const sgd: TorchRule = {
  torch: "SGD",
  counts: false,
  slots: () => [],
  group: (values) => ({
    momentum: number(values.momentum, 0),
    dampening: number(values.dampening, 0),
    weight_decay: decay(values),
    nesterov: flag(values.nesterov),
    ...FLAGS,
  }),
};

const adam: TorchRule = {
  torch: "Adam",
  counts: true,
  decouples: true,
  slots: ({ amsgrad }) => [
    ["exp_avg", "m"],
    ["exp_avg_sq", "v"],
    ...(flag(amsgrad) ? [["max_exp_avg_sq", "largest"] as const] : []),
  ],
  refuses: any(
    ({ biasCorrection }) => (biasCorrection === false ? "no bias correction" : undefined),
    ({ like, amsgrad }) => (like === "optax" && !flag(amsgrad) ? undefined : likeOf("pytorch", "lecture")({ like })),
    optionOf("epsRoot"),
  ),
  group: (values) => ({
    betas: betas(values),
    eps: number(values.eps, 1e-8),
    weight_decay: decay(values),
    amsgrad: flag(values.amsgrad),
    ...FLAGS,
    decoupled_weight_decay: flag(values.decoupled),
  }),
};

/** By our rules' names. */
export const torchRules: ReadonlyMap<string, TorchRule> = new Map<string, TorchRule>([
  ["sgd", sgd],
  [
    "momentum",
    {
      ...sgd,
      slots: () => [["momentum_buffer", "v"]],
      rateInside: ({ like }) => like === "lecture" || like === "keras",
    },
  ],
  ["adam", adam],
  ["adamw", { ...adam, torch: "AdamW" }],
  [
    "adagrad",
    {
      torch: "Adagrad",
      counts: true,
      slots: () => [["sum", "c"]],
      refuses: likeOf("pytorch", "lecture"),
      group: (values) => ({
        lr_decay: 0,
        eps: number(values.eps, 1e-10),
        weight_decay: decay(values),
        initial_accumulator_value: number(values.initialAccumulator, 0),
        ...FLAGS,
      }),
    },
  ],
  [
    "rmsprop",
    {
      torch: "RMSprop",
      counts: true,
      slots: ({ centered, momentum }) => [
        ["square_avg", "c"],
        ...(momentum === undefined ? [] : [["momentum_buffer", "v"] as const]),
        ...(flag(centered) ? [["grad_avg", "mean"] as const] : []),
      ],
      refuses: any(likeOf("pytorch", "lecture"), optionOf("epsInside", "biasCorrection")),
      group: (values) => ({
        momentum: number(values.momentum, 0),
        alpha: number(values.decay, 0.99),
        eps: number(values.eps, 1e-8),
        centered: flag(values.centered),
        weight_decay: decay(values),
        ...FLAGS,
      }),
    },
  ],
  [
    "adadelta",
    {
      torch: "Adadelta",
      counts: true,
      slots: () => [
        ["square_avg", "c"],
        ["acc_delta", "r"],
      ],
      group: (values) => ({
        rho: number(values.rho, 0.9),
        eps: number(values.eps, 1e-6),
        weight_decay: decay(values),
        ...FLAGS,
      }),
    },
  ],
  [
    "adamax",
    {
      torch: "Adamax",
      counts: true,
      slots: () => [
        ["exp_avg", "m"],
        ["exp_inf", "u"],
      ],
      refuses: likeOf("pytorch", "optax"),
      group: (values) => ({
        betas: betas(values),
        eps: number(values.eps, 1e-8),
        weight_decay: decay(values),
        ...FLAGS,
      }),
    },
  ],
  [
    "nadam",
    {
      torch: "NAdam",
      counts: true,
      decouples: true,
      slots: () => [
        ["exp_avg", "m"],
        ["exp_avg_sq", "v"],
      ],
      scalars: [["mu_product", "product"]],
      refuses: any(
        ({ momentumDecay }) => (momentumDecay === undefined ? "no momentumDecay" : undefined),
        optionOf("epsRoot"),
      ),
      group: (values) => ({
        betas: betas(values),
        eps: number(values.eps, 1e-8),
        weight_decay: decay(values),
        momentum_decay: number(values.momentumDecay, 4e-3),
        decoupled_weight_decay: flag(values.decoupled),
        ...FLAGS,
      }),
    },
  ],
  [
    "radam",
    {
      torch: "RAdam",
      counts: true,
      decouples: true,
      slots: () => [
        ["exp_avg", "m"],
        ["exp_avg_sq", "v"],
      ],
      refuses: any(likeOf("pytorch"), optionOf("epsRoot", "nesterov"), ({ threshold }) =>
        number(threshold, 5) === 5 ? undefined : "another threshold",
      ),
      group: (values) => ({
        betas: betas(values),
        eps: number(values.eps, 1e-8),
        weight_decay: decay(values),
        decoupled_weight_decay: flag(values.decoupled),
        ...FLAGS,
      }),
    },
  ],
  [
    "asgd",
    {
      torch: "ASGD",
      counts: true,
      slots: () => [["ax", "average"]],
      scalars: [["eta", "eta"]],
      derived: ({ averageFrom }, updates) => ({ mu: 1 / Math.max(1, updates - number(averageFrom, 1e6)) }),
      group: (values) => ({
        lambd: number(values.lambda, 1e-4),
        alpha: number(values.alpha, 0.75),
        t0: number(values.averageFrom, 1e6),
        weight_decay: decay(values),
        ...FLAGS,
      }),
    },
  ],
  [
    "rprop",
    {
      torch: "Rprop",
      counts: true,
      slots: () => [
        ["prev", "last"],
        ["step_size", "e"],
      ],
      refuses: likeOf("pytorch"),
      group: (values) => ({
        etas: [number(values.etaMinus, 0.5), number(values.etaPlus, 1.2)],
        step_sizes: [number(values.minStep, 1e-6), number(values.maxStep, 50)],
        ...FLAGS,
      }),
    },
  ],
]);
