export { checkProgram } from "../backends/reference/index.ts";
export { checkGradient, GradientError, type GradientOptions, type GradientReport } from "./check-gradient.ts";
export { type Comparison, compareWithReference, type Mismatch, runProgram } from "./compare.ts";
export { Random } from "./random.ts";
export { type RandomProgram, type RandomProgramOptions, randomProgram } from "./random-program.ts";
export { drawInput, type InputSpec, type Sample, type SampleRow } from "./samples/sample.ts";
export { samplePrimitives } from "./samples/table.ts";
export { shrinkProgram } from "./shrink.ts";
export {
  checkTrajectory,
  type Descent,
  type Trajectory,
  TrajectoryError,
  type TrajectoryOptions,
  trajectory,
} from "./trajectory.ts";
