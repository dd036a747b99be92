import { adagradRule } from "./adagrad.ts";
import { adamRule } from "./adam.ts";
import { adamwRule } from "./adamw.ts";
import { clipByGlobalNormRule, clipByValueRule } from "./clip.ts";
import { cocobRule } from "./cocob.ts";
import { dadaptAdamwRule } from "./dadapt-adamw.ts";
import { dogRule, dowgRule } from "./dog.ts";
import type { Rule } from "./hyper.ts";
import { maskedRule } from "./masked.ts";
import { mechanizeRule } from "./mechanize.ts";
import { momentumRule } from "./momentum.ts";
import { momoAdamRule, momoRule } from "./momo.ts";
import { prodigyRule } from "./prodigy.ts";
import { rmspropRule } from "./rmsprop.ts";
import { sgdRule } from "./sgd.ts";
import { addDecayedWeightsRule } from "./weight-decay.ts";

/** Every update rule and gradient transform, with its equation, source and hyperparameters. */
export const table: readonly Rule[] = [
  sgdRule,
  momentumRule,
  adagradRule,
  rmspropRule,
  adamRule,
  adamwRule,
  cocobRule,
  dogRule,
  dowgRule,
  dadaptAdamwRule,
  prodigyRule,
  momoRule,
  momoAdamRule,
  clipByGlobalNormRule,
  clipByValueRule,
  addDecayedWeightsRule,
  maskedRule,
  mechanizeRule,
];
