import { constantForm } from "./constant.ts";
import { cosineForm } from "./cosine.ts";
import { exponentialDecayForm } from "./exponential-decay.ts";
import type { ScheduleForm, StageForm } from "./form.ts";
import { inverseTimeDecayForm } from "./inverse-time-decay.ts";
import { joinForm } from "./join.ts";
import { reduceOnPlateauForm } from "./reduce-on-plateau.ts";
import { stepDecayForm } from "./step-decay.ts";
import { warmupForm } from "./warmup.ts";

/** Schedules that begin with a word in the text form. */
export const stages: readonly StageForm[] = [
  constantForm,
  stepDecayForm,
  exponentialDecayForm,
  inverseTimeDecayForm,
  cosineForm,
  warmupForm,
];

/** Every schedule: its equation, options and text form. */
export const table: readonly ScheduleForm[] = [...stages, joinForm, reduceOnPlateauForm];
