import { constantForm } from "./constant.ts";
import { constantFactorForm } from "./constant-factor.ts";
import { cosineForm } from "./cosine.ts";
import { cosineRestartsForm } from "./cosine-restarts.ts";
import { cyclicForm } from "./cyclic.ts";
import { exponentialDecayForm } from "./exponential-decay.ts";
import { flatCosineForm } from "./flat-cosine.ts";
import type { ReactiveForm, ScheduleForm, StageForm } from "./form.ts";
import { geometricDecayForm } from "./geometric-decay.ts";
import { greedyForm } from "./greedy.ts";
import { interpolateForm } from "./interpolate.ts";
import { inverseSqrtForm } from "./inverse-sqrt.ts";
import { inverseTimeDecayForm } from "./inverse-time-decay.ts";
import { joinForm } from "./join.ts";
import { lambdaForm } from "./lambda.ts";
import { linearForm } from "./linear.ts";
import { linearFactorForm } from "./linear-factor.ts";
import { multiStepForm } from "./multi-step.ts";
import { multiplyForm } from "./multiply.ts";
import { noamForm } from "./noam.ts";
import { oneCycleForm } from "./one-cycle.ts";
import { polynomialForm } from "./polynomial.ts";
import { reduceOnPlateauForm } from "./reduce-on-plateau.ts";
import { reduceOnTrendForm } from "./reduce-on-trend.ts";
import { repeatForm } from "./repeat.ts";
import { stepDecayForm } from "./step-decay.ts";
import { swaForm } from "./swa.ts";
import { warmupForm } from "./warmup.ts";
import { wsdForm } from "./wsd.ts";

/** Schedules that begin with a word in the text form. */
export const stages: readonly StageForm[] = [
  constantForm,
  stepDecayForm,
  exponentialDecayForm,
  inverseTimeDecayForm,
  cosineForm,
  warmupForm,
  linearForm,
  polynomialForm,
  geometricDecayForm,
  multiStepForm,
  interpolateForm,
  cosineRestartsForm,
  cyclicForm,
  oneCycleForm,
  wsdForm,
  inverseSqrtForm,
  noamForm,
  flatCosineForm,
  swaForm,
  constantFactorForm,
  linearFactorForm,
];

/** Factors that depend on reports. */
export const reactions: readonly ReactiveForm[] = [reduceOnPlateauForm, reduceOnTrendForm, greedyForm];

/** Every schedule: its equation, options and text form. */
export const table: readonly ScheduleForm[] = [...stages, joinForm, multiplyForm, repeatForm, lambdaForm, ...reactions];
