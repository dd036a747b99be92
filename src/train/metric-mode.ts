export type MetricMode = "min" | "max";

/** Whether smaller or larger is better: smaller for what ends in `loss` or `error`. */
export function modeOf(metric: string): MetricMode {
  return /(loss|error)$/.test(metric) ? "min" : "max";
}
