import type { Environment } from "../environment.ts";
import { evaluationSection, type ShownEvaluation } from "./evaluation-section.ts";
import { html, Markup } from "./html.ts";
import { lineChart } from "./line-chart.ts";
import { count, duration, percent, short } from "./numbers.ts";
import type { ParameterTable } from "./parameters.ts";
import type { InlinePicture } from "./pictures.ts";
import { metricLines, metricNames, type RunLog } from "./run-log.ts";
import { STYLE } from "./style.ts";

/** All that stands in a report. */
export type ReportParts = {
  /** The run's name. */
  readonly title: string;
  readonly log: RunLog;
  readonly evaluation: ShownEvaluation | undefined;
  /** Why there is no evaluation. */
  readonly without: string | undefined;
  readonly filters: { readonly name: string; readonly picture: InlinePicture; readonly count: number } | undefined;
  readonly parameters: ParameterTable;
  /** Lines of a shell that repeat the run. */
  readonly commands: readonly string[];
  readonly config: unknown;
  readonly environment: Partial<Environment>;
};

/** The report as one HTML file that loads nothing. */
export function reportPage(parts: ReportParts): string {
  const { title, log, evaluation, without, filters, commands, config, environment } = parts;
  const sections: readonly (readonly [id: string, name: string, body: Markup | undefined])[] = [
    ["curves", "Training", curves(log)],
    [
      "evaluation",
      "Evaluation",
      evaluation ? evaluationSection(evaluation) : html`<p>${without ?? "There is none."}</p>`,
    ],
    ["filters", "First layer", filters && filterSection(filters)],
    ["parameters", "Parameters", parameterSection(parts.parameters)],
    ["repeat", "To repeat it", repeatSection(commands, config, environment)],
  ];
  const shown = sections.filter(([, , body]) => body !== undefined);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="faint">${subtitle(log)}</p>
${figures(parts)}
<nav aria-label="Sections">${shown.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}</nav>
</header>
<main>
${shown.map(
  ([id, name, body]) => html`<section aria-labelledby="${id}"><h2 id="${id}">${name}</h2>
${body}</section>
`,
)}
</main>
</body>
</html>
`.text;
}

function subtitle({ start, end, epochs }: RunLog): string {
  const time =
    start && Number.isFinite(start.time) ? new Date(start.time).toISOString().slice(0, 16).replace("T", " ") : "";
  const reason =
    end === undefined ? "not finished" : { done: "done", stopped: "stopped", failed: "failed" }[end.reason];
  return [time && `${time} UTC`, `${reason} after ${count(epochs.length)} epoch${epochs.length === 1 ? "" : "s"}`]
    .filter(Boolean)
    .join(", ");
}

/** The numbers that one looks for first. */
function figures({ log, evaluation }: ReportParts): Markup {
  const { start, test, epochs } = log;
  const found = evaluation?.found;
  const held = epochs.at(-1)?.validation ?? {};
  const time = epochs.reduce((sum, { timeMs }) => sum + timeMs, 0);
  const pairs: (readonly [string, string | undefined])[] = [
    found?.kind === "classification"
      ? ["accuracy", percent(found.accuracy)]
      : found?.kind === "regression"
        ? ["R²", short(found.scores.r2)]
        : ["test loss", test && short(test.metrics.loss)],
    ["validation loss", held.loss === undefined ? undefined : short(held.loss)],
    ["validation accuracy", held.accuracy === undefined ? undefined : percent(held.accuracy)],
    ["parameters", start && count(start.parameters)],
    ["training took", epochs.length === 0 ? undefined : duration(time)],
  ];
  return html`<dl class="figures">${pairs.map(([name, value]) => value !== undefined && html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

const METRICS_SHOWN = 8;

function curves(log: RunLog): Markup {
  const { steps, start, epochs, notes } = log;
  const stepsPerEpoch = start?.stepsPerEpoch ?? 1;
  const across = "epoch";
  const bySteps = (of: (step: (typeof steps)[number]) => number) =>
    steps.map((each) => [each.step / stepsPerEpoch, of(each)] as const);
  const charts = [
    ...metricNames(log)
      .slice(0, METRICS_SHOWN)
      .map((name) => lineChart({ title: name, across, lines: metricLines(log, name), logarithmic: name === "loss" })),
    lineChart({
      title: "learning rate",
      across,
      lines: [{ label: "rate", points: bySteps(({ rate }) => rate ?? Number.NaN) }],
    }),
    lineChart({
      title: "time of a step, ms",
      across,
      lines: [{ label: "time", points: bySteps(({ timeMs }) => timeMs) }],
    }),
  ].filter((chart) => chart !== undefined);
  return html`${charts.length > 0 ? html`<div class="charts">${charts}</div>` : html`<p>No step was logged.</p>`}
${notes.length > 0 && html`<h3>On the way</h3><ul>${notes.map(({ step, text }) => html`<li>step ${count(step)}: ${text}</li>`)}</ul>`}
${epochs.length > 0 && html`<details${epochs.length <= 12 && new Markup(" open")}><summary>Epochs as a table</summary>${epochTable(log)}</details>`}
`;
}

function epochTable({ epochs }: RunLog): Markup {
  const names = metricNames({ epochs, steps: [], start: undefined, end: undefined, test: undefined, notes: [] });
  const phases = ["sample", "forward", "backward", "update"] as const;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Epochs"><table>
<thead><tr><th scope="col">epoch</th>${names.map((name) => html`<th scope="col">training ${name}</th><th scope="col">validation ${name}</th>`)}<th scope="col">rate</th><th scope="col">time</th>${phases.map((phase) => html`<th scope="col">${phase}</th>`)}</tr></thead>
<tbody>${epochs.map(({ epoch, train, validation, rate, timeMs, timeByPhase }) => {
    const total = phases.reduce((sum, phase) => sum + (timeByPhase?.[phase] ?? 0), 0);
    return html`<tr><th scope="row">${epoch}</th>${names.map((name) => html`<td>${short(train[name])}</td><td>${short(validation[name])}</td>`)}<td>${short(rate)}</td><td>${duration(timeMs)}</td>${phases.map((phase) => html`<td>${total > 0 ? percent(timeByPhase[phase] / total) : "–"}</td>`)}</tr>
`;
  })}</tbody></table></div>`;
}

function filterSection({ name, picture, count: filters }: NonNullable<ReportParts["filters"]>): Markup {
  const scale = Math.max(1, Math.min(8, Math.floor(700 / picture.width)));
  return html`<p>${name}: ${count(filters)} filters${filters > 64 && ", the first 64 of them"}. Grey is 0, white and black (or colours) the largest weight of a filter.</p>
<img class="pixels" src="${picture.uri}" width="${picture.width * scale}" height="${picture.height * scale}" style="max-width:100%;height:auto" alt="Filters of ${name}">`;
}

const OPEN_PARAMETERS = 30;

function parameterSection({ rows, between }: ParameterTable): Markup | undefined {
  if (rows.length === 0) return undefined;
  const table = html`<div class="wide" tabindex="0" role="region" aria-label="Parameters"><table>
<thead><tr><th scope="col" class="left">name</th><th scope="col">shape</th><th scope="col">norm</th>${between && html`<th scope="col">moved per step / norm</th>`}</tr></thead>
<tbody>${rows.map(
    ({
      name,
      shape,
      norm,
      movement,
    }) => html`<tr><th scope="row">${name}</th><td>${shape.join(" × ")}</td><td>${short(norm)}</td>${between && html`<td>${movement === undefined ? "–" : movement.toExponential(1)}</td>`}</tr>
`,
  )}</tbody></table></div>`;
  const [from = 0, to = 0] = between ?? [];
  return html`${between ? html`<p>How far each moved from step ${count(from)} to ${count(to)}, as a ratio of its norm, divided by the number of steps. Updates that cancel do not count, so single updates are larger.</p>` : html`<p>Fewer than two checkpoints are kept (or they are too large to read here), so how fast parameters moved is not known.</p>`}
${rows.length > OPEN_PARAMETERS ? html`<details><summary>All ${count(rows.length)}</summary>${table}</details>` : table}`;
}

function repeatSection(commands: readonly string[], config: unknown, environment: Partial<Environment>): Markup {
  const { downhill, node, platform, processor, processors } = environment;
  return html`${commands.length > 0 ? html`<pre tabindex="0">${commands.join("\n")}</pre>` : html`<p>The run was started from a program, which no command repeats.</p>`}
<table><tbody>
${(
  [
    ["downhill", downhill],
    ["Node", node],
    ["platform", platform],
    ["processor", processor],
    ["processors", processors],
  ] as const
).map(
  ([name, value]) =>
    value !== undefined &&
    html`<tr><th scope="row">${name}</th><td class="left">${value}</td></tr>
`,
)}</tbody></table>
<details><summary>Configuration</summary><pre tabindex="0">${JSON.stringify(config, null, 2)}</pre></details>
`;
}
