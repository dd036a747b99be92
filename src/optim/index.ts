export {
  type AccumulateOptions,
  type AccumulateState,
  type ApplyEveryState,
  accumulate,
  applyEvery,
} from "./accumulate.ts";
export { type AcpropOptions, type AcpropState, acprop } from "./acprop.ts";
export { type AdabeliefOptions, type AdabeliefState, adabelief } from "./adabelief.ts";
export { type AdadeltaOptions, type AdadeltaState, adadelta } from "./adadelta.ts";
export { type AdafactorOptions, type AdafactorState, adafactor } from "./adafactor.ts";
export { type AdagradOptions, type AdagradState, adagrad } from "./adagrad.ts";
export { type AdamOptions, type AdamState, adam } from "./adam.ts";
export { type AdamaxOptions, type AdamaxState, adamax } from "./adamax.ts";
export { type AdamwOptions, adamw } from "./adamw.ts";
export { type AdanOptions, type AdanState, adan } from "./adan.ts";
export { type AddNoiseOptions, addNoise } from "./add-noise.ts";
export { type AdemamixOptions, type AdemamixState, ademamix } from "./ademamix.ts";
export { type AdoptOptions, type AdoptState, adopt } from "./adopt.ts";
export { type AsgdOptions, type AsgdState, asgd } from "./asgd.ts";
export { chain } from "./chain.ts";
export { checkState } from "./check-state.ts";
export { type ClipByGlobalNormOptions, clipByGlobalNorm, clipByValue, globalNorm } from "./clip.ts";
export { type AdaptiveClipOptions, adaptiveClip, clipByBlockRms, clipByNorm } from "./clip-blocks.ts";
export { type CocobOptions, type CocobState, cocob } from "./cocob.ts";
export {
  type MinMaxNormOptions,
  maxNorm,
  minMaxNorm,
  type NormConstraintOptions,
  nonNegative,
  unitNorm,
} from "./constraints.ts";
export { type DadaptAdamwOptions, type DadaptAdamwState, dadaptAdamw } from "./dadapt-adamw.ts";
export { type DogOptions, type DogState, type DowgOptions, dog, dowg } from "./dog.ts";
export {
  type DpsgdOptions,
  type DpsgdState,
  dpsgd,
  type PrivateAggregateOptions,
  privateAggregate,
} from "./dpsgd.ts";
export { type EmaOptions, type EmaState, ema } from "./ema.ts";
export { fromConfig } from "./from-config.ts";
export { type FromageOptions, fromage } from "./fromage.ts";
export { type FtrlOptions, type FtrlState, ftrl } from "./ftrl.ts";
export { type GaloreOptions, type GaloreState, galore } from "./galore.ts";
export {
  type AverageUpdatesState,
  averageUpdates,
  centralize,
  normalizeByNorm,
  scaleBy,
  type TraceState,
  trace,
  zeroNans,
} from "./gradients.ts";
export { type Group, groups } from "./groups.ts";
export type {
  ChoiceHyper,
  DecayOptions,
  FlagHyper,
  HyperSpec,
  HyperSpecs,
  Like,
  NumberHyper,
  ParametersHyper,
  Rule,
  TransformHyper,
} from "./hyper.ts";
export { addL1, type L1Options } from "./l1.ts";
export { type LambOptions, type LambState, lamb } from "./lamb.ts";
export { type LarsOptions, type LarsState, lars } from "./lars.ts";
export { type LbfgsOptions, type LbfgsState, lbfgs } from "./lbfgs.ts";
export { type LionOptions, type LionState, lion } from "./lion.ts";
export { type LookaheadOptions, type LookaheadState, lookahead } from "./lookahead.ts";
export { type MadgradOptions, type MadgradState, madgrad } from "./madgrad.ts";
export { type MaskedOptions, masked } from "./masked.ts";
export { type MechanizeOptions, type MechanizeState, mechanize } from "./mechanize.ts";
export { type MomentumOptions, type MomentumState, momentum } from "./momentum.ts";
export { type MomoAdamOptions, type MomoAdamState, type MomoOptions, type MomoState, momo, momoAdam } from "./momo.ts";
export { type MuonOptions, muon } from "./muon.ts";
export { type NadamOptions, type NadamState, nadam } from "./nadam.ts";
export { type NoisySgdOptions, noisySgd } from "./noisy-sgd.ts";
export { type NovogradOptions, type NovogradState, novograd } from "./novograd.ts";
export {
  type OptimisticAdamOptions,
  type OptimisticAdamState,
  type OptimisticOptions,
  type OptimisticState,
  optimisticAdam,
  optimisticGradientDescent,
} from "./optimistic.ts";
export type { NamedArrays, OptimizerState, OptimizerStateSource } from "./optimizer-state.ts";
export type { ParameterPattern } from "./parameters.ts";
export { type Part, partition } from "./partition.ts";
export { type PolyakSgdOptions, polyakSgd } from "./polyak-sgd.ts";
export { type ProdigyOptions, type ProdigyState, prodigy } from "./prodigy.ts";
export { type RadamOptions, type RadamState, radam } from "./radam.ts";
export { type RmspropOptions, type RmspropState, rmsprop } from "./rmsprop.ts";
export { type RpropOptions, type RpropState, rprop } from "./rprop.ts";
export { type SamOptions, sam } from "./sam.ts";
export { type AverageState, type ScheduleFreeOptions, type ScheduleFreeState, scheduleFree } from "./schedule-free.ts";
export {
  type ScheduleFreeAdamwOptions,
  type ScheduleFreeAdamwState,
  type ScheduleFreeSgdOptions,
  scheduleFreeAdamw,
  scheduleFreeSgd,
} from "./schedule-free-rules.ts";
export { sgd } from "./sgd.ts";
export { type ShampooOptions, type ShampooState, shampoo } from "./shampoo.ts";
export { type SignumOptions, type SignumState, signSgd, signum } from "./sign-sgd.ts";
export {
  type SimplifiedAdemamixOptions,
  type SimplifiedAdemamixState,
  simplifiedAdemamix,
} from "./simplified-ademamix.ts";
export {
  type SkipExplodingOptions,
  type SkipExplodingState,
  type SkipNonFiniteOptions,
  type SkipState,
  skipExploding,
  skipNonFinite,
} from "./skip.ts";
export { type Sm3Options, type Sm3State, sm3 } from "./sm3.ts";
export { type SoapOptions, type SoapState, soap } from "./soap.ts";
export { type SophiaOptions, type SophiaState, sophia } from "./sophia.ts";
export { type SparseAdamOptions, type SparseAdamState, sparseAdam } from "./sparse-adam.ts";
export { type SwaOptions, type SwaState, swa } from "./swa.ts";
export { table } from "./table.ts";
export { applyUpdates, type NoState, type TensorTree, type Transform, type UpdateContext } from "./transform.ts";
export { addDecayedWeights, type DecayedWeightsOptions } from "./weight-decay.ts";
export { type YogiOptions, type YogiState, yogi } from "./yogi.ts";
