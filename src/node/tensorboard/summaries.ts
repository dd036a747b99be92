import { HostArray } from "../../core/host-array.ts";
import { histogramOf } from "../../io/histogram.ts";
import { pictureGrid } from "../../io/picture-grid.ts";
import { encodePng } from "../../io/png.ts";
import { hyperparameters, type Summary } from "../../io/tensorboard.ts";
import type { Metrics, TrainEvent, Weights } from "../../train/events.ts";

/** Settings as TensorBoard's HParams page shows them. */
export type Hyperparameters = Readonly<Record<string, number | string | boolean>>;

const scalar = (tag: string, value: number): Summary => ({ tag, kind: "scalar", value });

/** A log's null is a number that was not finite. */
const scalarsOf = (group: string, metrics: Metrics): Summary[] =>
  Object.entries(metrics).map(([name, value]) => scalar(`${group}/${name}`, value ?? Number.NaN));

/** What an event says, by TensorBoard's tags; nothing where it says nothing that can be shown. */
export function summariesOf(event: TrainEvent): Summary[] {
  switch (event.type) {
    case "step":
      return [
        ...scalarsOf("step", event.metrics),
        ...rateOf(event.rate),
        scalar("time/step_ms", event.timeMs ?? Number.NaN),
      ];
    case "epoch":
      return [
        ...scalarsOf("train", event.train),
        ...scalarsOf("validation", event.validation),
        scalar("time/epoch_s", (event.timeMs ?? Number.NaN) / 1000),
      ];
    case "test":
      return scalarsOf("test", event.metrics);
    case "intervention":
      return [{ tag: "interventions", kind: "text", text: `${event.hyper} = ${event.value ?? "as scheduled"}` }];
    case "finding":
      return [{ tag: "findings", kind: "text", text: `**${event.severity}** ${event.text}` }];
    case "rollback":
      return [
        {
          tag: "findings",
          kind: "text",
          text: `${event.text} Back to step ${event.to}, with the rate times ${event.rateFactor}.`,
        },
      ];
    default:
      return [];
  }
}

/** The optimizer's rate; nothing where it has none. */
const rateOf = (rate: number): Summary[] => (Number.isFinite(rate ?? Number.NaN) ? [scalar("rate", rate)] : []);

/** What is said once, when a run starts: its configuration as text and as hyperparameters. */
export function startSummaries(start: TrainEvent & { type: "start" }, given: Hyperparameters | undefined): Summary[] {
  const values = given ?? hyperparametersOf(start);
  const text = JSON.stringify(start.config, null, 2).replaceAll(/^/gm, "    ");
  return [{ tag: "config", kind: "text", text }, hyperparameters(values, { time: start.time / 1000 })];
}

/** Not what one compares runs by. */
const NO_SETTINGS = ["model", "preprocessing", "data.fingerprint", "backendNotes"];

/** The numbers and names of a run's configuration, such as `optimizer.momentum`; nothing of what is inside the model. */
export function hyperparametersOf({ config, parameters, run }: TrainEvent & { type: "start" }): Hyperparameters {
  const found: Record<string, number | string | boolean> = { run, parameters };
  const walk = (value: unknown, path: string): void => {
    if (NO_SETTINGS.includes(path)) return;
    if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") found[path] = value;
    else if (Array.isArray(value) && value.every((child) => typeof child !== "object")) found[path] = value.join(", ");
    else if (typeof value === "object" && value !== null)
      for (const [key, child] of Object.entries(value))
        walk(child, key === "kind" || key === "name" ? path : path === "" ? key : `${path}.${key}`);
  };
  walk(config, "");
  return found;
}

/** Histograms of all weights that are no counts. */
export function weightSummaries(weights: Weights): Summary[] {
  return Object.entries(weights).flatMap(([name, array]) =>
    array.dtype === "f32" ? [{ tag: `weights/${name}`, kind: "histogram", histogram: histogramOf(array.data) }] : [],
  );
}

/** The first convolution over grey or RGB pictures, each filter from its least to its largest value; nothing where there is none. */
export async function filterSummaries(weights: Weights): Promise<Summary[]> {
  const found = Object.entries(weights).find(
    ([, { shape }]) => shape.length === 4 && (shape[1] === 1 || shape[1] === 3) && (shape[2] as number) > 1,
  );
  if (found === undefined) return [];
  const [name, filters] = found;
  return [await image(`filters/${name}`, pictureGrid(filters, { range: "each" }))];
}

const SHOWN_PICTURES = 16;

/** The first of some pictures. Throws ShapeError where they are none. */
export async function pictureSummaries(tag: string, pictures: HostArray): Promise<Summary[]> {
  const [count = 0, ...rest] = pictures.shape;
  const shown = Math.min(count, SHOWN_PICTURES);
  const size = count === 0 ? 0 : pictures.data.length / count;
  const some = new HostArray(pictures.dtype, [shown, ...rest], pictures.data.slice(0, shown * size));
  return [await image(tag, pictureGrid(some))];
}

async function image(tag: string, picture: HostArray): Promise<Summary> {
  const [, height = 0, width = 0] = picture.shape;
  return { tag, kind: "image", width, height, png: await encodePng(picture) };
}
