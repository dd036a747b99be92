export { checkGradient, GradientError, type GradientOptions, type GradientReport } from "./check-gradient.ts";
export { Random } from "./random.ts";
export { drawInput, type InputSpec, type Sample, type SampleRow } from "./samples/sample.ts";
export { samplePrimitives } from "./samples/table.ts";
