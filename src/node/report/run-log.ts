import type { Metrics, TrainEvent } from "../../train/events.ts";
import type { Line } from "./line-chart.ts";

type EventOf<T extends TrainEvent["type"]> = TrainEvent & { readonly type: T };

/** What a run's events say, in the order of its steps: what a rollback took back is left out. */
export type RunLog = {
  readonly start: EventOf<"start"> | undefined;
  readonly end: EventOf<"end"> | undefined;
  readonly test: EventOf<"test"> | undefined;
  readonly epochs: readonly EventOf<"epoch">[];
  readonly steps: readonly EventOf<"step">[];
  /** What happened on the way. */
  readonly notes: readonly { readonly step: number; readonly text: string }[];
};

export function runLog(events: readonly TrainEvent[]): RunLog {
  const last = <T extends TrainEvent["type"]>(type: T): EventOf<T> | undefined =>
    events.findLast((event): event is EventOf<T> => event.type === type);
  const steps: EventOf<"step">[] = [];
  const epochs: EventOf<"epoch">[] = [];
  const notes: { step: number; text: string }[] = [];
  const before = (list: { readonly step: number }[], step: number): void => {
    while ((list.at(-1)?.step ?? 0) >= step && list.length > 0) list.pop();
  };
  for (const event of events) {
    if (event.type === "step") {
      before(steps, event.step);
      steps.push(event);
    } else if (event.type === "epoch") {
      before(epochs, event.step);
      epochs.push(event);
    } else if (event.type === "rollback")
      notes.push({ step: event.step, text: `${event.text} Back to step ${event.to}.` });
    else if (event.type === "intervention")
      notes.push({
        step: event.step,
        text: event.value === null ? `${event.hyper} back to its schedule.` : `${event.hyper} set to ${event.value}.`,
      });
    else if (event.type === "finding") notes.push({ step: event.step, text: `${event.severity}: ${event.text}` });
    else if (event.type === "end" && event.error !== undefined) notes.push({ step: event.step, text: event.error });
  }
  return { start: last("start"), end: last("end"), test: last("test"), epochs, steps, notes };
}

/** Names of all metrics, the loss first. */
export function metricNames({ steps, epochs }: RunLog): string[] {
  const names = new Set(["loss"]);
  for (const { train, validation } of epochs)
    for (const metrics of [train, validation]) for (const name of Object.keys(metrics)) names.add(name);
  for (const name of Object.keys(steps.at(-1)?.metrics ?? {})) names.add(name);
  return [...names];
}

/** A metric over the epochs: of the mini-batches, and where it was evaluated. */
export function metricLines({ steps, epochs, start }: RunLog, name: string): Line[] {
  const stepsPerEpoch = start?.stepsPerEpoch ?? 1;
  const ofEpochs = (of: (event: EventOf<"epoch">) => Metrics): Line["points"] =>
    epochs.flatMap((event) => {
      const value = of(event)[name];
      return value === undefined ? [] : [[event.epoch, value] as const];
    });
  const batches = steps.flatMap(({ step, metrics }) => {
    const value = metrics[name];
    return value === undefined ? [] : [[step / stepsPerEpoch, value] as const];
  });
  return [
    { label: "mini-batches", points: batches },
    { label: "validation", points: ofEpochs(({ validation }) => validation), marks: true },
    ...(batches.length === 0 ? [{ label: "training", points: ofEpochs(({ train }) => train), marks: true }] : []),
  ];
}
