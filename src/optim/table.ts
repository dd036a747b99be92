import { accumulateRule, applyEveryRule } from "./accumulate.ts";
import { acpropRule } from "./acprop.ts";
import { adabeliefRule } from "./adabelief.ts";
import { adadeltaRule } from "./adadelta.ts";
import { adafactorRule } from "./adafactor.ts";
import { adagradRule } from "./adagrad.ts";
import { adamRule } from "./adam.ts";
import { adamaxRule } from "./adamax.ts";
import { adamwRule } from "./adamw.ts";
import { adanRule } from "./adan.ts";
import { addNoiseRule } from "./add-noise.ts";
import { ademamixRule } from "./ademamix.ts";
import { adoptRule } from "./adopt.ts";
import { asgdRule } from "./asgd.ts";
import { clipByGlobalNormRule, clipByValueRule } from "./clip.ts";
import { adaptiveClipRule, clipByBlockRmsRule, clipByNormRule } from "./clip-blocks.ts";
import { cocobRule } from "./cocob.ts";
import { maxNormRule, minMaxNormRule, nonNegativeRule, unitNormRule } from "./constraints.ts";
import { dadaptAdamwRule } from "./dadapt-adamw.ts";
import { dogRule, dowgRule } from "./dog.ts";
import { dpsgdRule, privateAggregateRule } from "./dpsgd.ts";
import { emaRule } from "./ema.ts";
import { fromageRule } from "./fromage.ts";
import { ftrlRule } from "./ftrl.ts";
import { galoreRule } from "./galore.ts";
import {
  averageUpdatesRule,
  centralizeRule,
  normalizeByNormRule,
  scaleByRule,
  traceRule,
  zeroNansRule,
} from "./gradients.ts";
import type { Rule } from "./hyper.ts";
import { addL1Rule } from "./l1.ts";
import { lambRule } from "./lamb.ts";
import { larsRule } from "./lars.ts";
import { lbfgsRule } from "./lbfgs.ts";
import { lionRule } from "./lion.ts";
import { lookaheadRule } from "./lookahead.ts";
import { madgradRule } from "./madgrad.ts";
import { maskedRule } from "./masked.ts";
import { mechanizeRule } from "./mechanize.ts";
import { momentumRule } from "./momentum.ts";
import { momoAdamRule, momoRule } from "./momo.ts";
import { muonRule } from "./muon.ts";
import { nadamRule } from "./nadam.ts";
import { noisySgdRule } from "./noisy-sgd.ts";
import { novogradRule } from "./novograd.ts";
import { optimisticAdamRule, optimisticGradientDescentRule } from "./optimistic.ts";
import { polyakSgdRule } from "./polyak-sgd.ts";
import { prodigyRule } from "./prodigy.ts";
import { radamRule } from "./radam.ts";
import { rmspropRule } from "./rmsprop.ts";
import { rpropRule } from "./rprop.ts";
import { samRule } from "./sam.ts";
import { scheduleFreeRule } from "./schedule-free.ts";
import { scheduleFreeAdamwRule, scheduleFreeSgdRule } from "./schedule-free-rules.ts";
import { sgdRule } from "./sgd.ts";
import { shampooRule } from "./shampoo.ts";
import { signSgdRule, signumRule } from "./sign-sgd.ts";
import { simplifiedAdemamixRule } from "./simplified-ademamix.ts";
import { skipExplodingRule, skipNonFiniteRule } from "./skip.ts";
import { sm3Rule } from "./sm3.ts";
import { soapRule } from "./soap.ts";
import { sophiaRule } from "./sophia.ts";
import { sparseAdamRule } from "./sparse-adam.ts";
import { swaRule } from "./swa.ts";
import { addDecayedWeightsRule } from "./weight-decay.ts";
import { yogiRule } from "./yogi.ts";

/** Every update rule and gradient transform, with its equation, source and hyperparameters. */
export const table: readonly Rule[] = [
  sgdRule,
  momentumRule,
  adagradRule,
  rmspropRule,
  adamRule,
  adamwRule,
  adamaxRule,
  nadamRule,
  radamRule,
  adabeliefRule,
  adanRule,
  yogiRule,
  adadeltaRule,
  rpropRule,
  asgdRule,
  ftrlRule,
  noisySgdRule,
  optimisticGradientDescentRule,
  optimisticAdamRule,
  polyakSgdRule,
  lionRule,
  signSgdRule,
  signumRule,
  larsRule,
  lambRule,
  novogradRule,
  fromageRule,
  sm3Rule,
  madgradRule,
  ademamixRule,
  simplifiedAdemamixRule,
  adoptRule,
  acpropRule,
  sparseAdamRule,
  cocobRule,
  dogRule,
  dowgRule,
  dadaptAdamwRule,
  prodigyRule,
  momoRule,
  momoAdamRule,
  sophiaRule,
  adafactorRule,
  muonRule,
  shampooRule,
  soapRule,
  galoreRule,
  lbfgsRule,
  scheduleFreeSgdRule,
  scheduleFreeAdamwRule,
  dpsgdRule,
  privateAggregateRule,
  clipByGlobalNormRule,
  clipByValueRule,
  clipByNormRule,
  clipByBlockRmsRule,
  adaptiveClipRule,
  centralizeRule,
  normalizeByNormRule,
  zeroNansRule,
  scaleByRule,
  traceRule,
  averageUpdatesRule,
  applyEveryRule,
  addNoiseRule,
  addDecayedWeightsRule,
  addL1Rule,
  nonNegativeRule,
  maxNormRule,
  unitNormRule,
  minMaxNormRule,
  maskedRule,
  accumulateRule,
  skipNonFiniteRule,
  skipExplodingRule,
  lookaheadRule,
  emaRule,
  swaRule,
  mechanizeRule,
  scheduleFreeRule,
  samRule,
];
