import type {
  ClassificationEvaluation,
  ClassScores,
  Evaluation,
  RegressionEvaluation,
} from "../../train/evaluation/evaluation.ts";
import { calibrationChart } from "./calibration-chart.ts";
import { html, type Markup } from "./html.ts";
import { count, percent, short } from "./numbers.ts";
import type { InlinePicture } from "./pictures.ts";

/** A mistake with its picture, where there is one. */
export type ShownMistake = {
  readonly index: number;
  readonly file?: string;
  readonly truth: string;
  readonly predicted: string;
  readonly probability: number;
  readonly truthProbability: number;
  readonly loss: number;
  readonly picture?: InlinePicture;
  /** What of the picture spoke for the answer. */
  readonly glow?: InlinePicture;
};

export type ShownEvaluation = {
  readonly found: Evaluation;
  readonly mistakes: readonly ShownMistake[];
  /** How `glow` was made. */
  readonly explained: string | undefined;
  /** The confusion of many classes as a picture, a pixel for each pair. */
  readonly map?: InlinePicture;
};

/** More classes than this have no table of pairs. */
export const MATRIX_CLASSES = 40;
const OPEN_CLASSES = 50;

export function evaluationSection(shown: ShownEvaluation): Markup {
  const { found } = shown;
  if (found.kind === "classification") return classification(found, shown);
  if (found.kind === "regression") return regression(found);
  return html`<p>${metricsText(found.metrics)} on ${count(found.samples)} samples of ${found.data}.</p>`;
}

export const metricsText = (metrics: Readonly<Record<string, number>>): string =>
  Object.entries(metrics)
    .map(([name, value]) => `${name} ${short(value)}`)
    .join(", ");

function classification(found: ClassificationEvaluation, { mistakes, explained, map }: ShownEvaluation): Markup {
  const { classes, perClass, confused, calibration, accuracy, samples } = found;
  const sure = calibration.bins.reduce((sum, bin) => sum + bin.count * bin.confidence, 0) / samples;
  return html`<p>${metricsText(found.metrics)} on ${count(samples)} samples of ${found.data}. ${found.top5Accuracy !== undefined && `The right class is among the 5 likeliest for ${percent(found.top5Accuracy)}. `}</p>
<h3>Each class</h3>
${perClass.length > OPEN_CLASSES ? html`<details><summary>All ${count(perClass.length)} classes</summary>${classTable(found)}</details>` : classTable(found)}
<h3>Confusion</h3>
${classes.length <= MATRIX_CLASSES ? matrix(found) : map && html`<p>A row for each class, a column for each answer; what is not on the diagonal is wrong.</p><img class="map pixels" src="${map.uri}" width="${map.width}" height="${map.height}" alt="Confusion of ${count(classes.length)} classes">`}
${confused.length > 0 && html`<ul>${confused.map(({ truth, predicted, count: n, share }) => html`<li>${classes[truth]} taken for ${classes[predicted]}: ${count(n)} of ${count(n / share)} (${percent(share)})</li>`)}</ul>`}
<h3>Calibration</h3>
<p>On average ${percent(sure)} sure and ${percent(accuracy)} right; expected calibration error ${percent(calibration.expectedError)} over ${calibration.bins.length} bins, Brier score ${short(found.brier)}.</p>
${calibrationChart(calibration)}
<h3>Worst mistakes</h3>
${
  mistakes.length === 0
    ? html`<p>${found.mistakes === 0 ? "There are none." : "None are shown."}</p>`
    : html`<p>The ${mistakes.length} of ${count(found.mistakes)} with the largest loss${explained !== undefined && `; beside each picture what spoke for the answer (${explained})`}.</p>
<ul class="mistakes">${mistakes.map(mistake)}</ul>`
}
`;
}

function classTable({ perClass, macro, weighted, samples }: ClassificationEvaluation): Markup {
  const row = (name: string, s: Pick<ClassScores, "precision" | "recall" | "f1">, support: number): Markup =>
    html`<tr><th scope="row">${name}</th><td>${percent(s.precision)}</td><td>${percent(s.recall)}</td><td>${percent(s.f1)}</td><td>${count(support)}</td></tr>
`;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Scores of each class"><table>
<thead><tr><th scope="col" class="left">class</th><th scope="col">precision</th><th scope="col">recall</th><th scope="col">F1</th><th scope="col">samples</th></tr></thead>
<tbody>${perClass.map((each) => row(each.name, each, each.support))}</tbody>
<tfoot>${row("plain mean", macro, samples)}${row("weighted mean", weighted, samples)}</tfoot>
</table></div>
`;
}

function matrix({ classes, confusion }: ClassificationEvaluation): Markup {
  const heads = classes.length > 12 ? classes.map((_, i) => `${i}`) : classes;
  return html`<div class="wide" tabindex="0" role="region" aria-label="Confusion matrix"><table class="matrix">
<thead><tr><th scope="col" class="left">class ↓ answer →</th>${heads.map((name, i) => html`<th scope="col" title="${classes[i]}">${name}</th>`)}</tr></thead>
<tbody>${confusion.map((row, i) => {
    const support = row.reduce((sum, n) => sum + n, 0);
    return html`<tr><th scope="row">${classes.length > 12 && `${i} `}${classes[i]}</th>${row.map((n, j) => {
      const share = support === 0 ? 0 : n / support;
      // Mistakes are rare, and their root shows few of them too.
      const heat = i === j ? share : Math.sqrt(share);
      const kind = [i !== j && "off", heat > 0.55 && "strong", n === 0 && "none"].filter(Boolean).join(" ");
      return html`<td class="${kind}" style="--v:${heat.toFixed(3)}">${n}</td>`;
    })}</tr>
`;
  })}</tbody>
</table></div>
`;
}

function mistake({
  index,
  file,
  truth,
  predicted,
  probability,
  truthProbability,
  loss,
  picture,
  glow,
}: ShownMistake): Markup {
  const pixels = picture !== undefined && Math.max(picture.width, picture.height) < 100 ? "pixels" : "";
  return html`<li class="mistake">${picture && html`<div class="pair"><img class="${pixels}" src="${picture.uri}" width="${picture.width}" height="${picture.height}" alt="sample ${index}">${glow && html`<div class="stack"><img class="${pixels}" src="${picture.uri}" alt=""><img src="${glow.uri}" width="${glow.width}" height="${glow.height}" alt="what spoke for ${predicted}"></div>`}</div>`}<b>${truth}</b> taken for <b>${predicted}</b><br><span class="faint">${percent(probability)} sure, ${percent(truthProbability)} for ${truth}; loss ${short(loss)}; ${file ?? `sample ${index}`}</span></li>
`;
}

function regression({ scores, perOutput, worst, metrics, samples, data }: RegressionEvaluation): Markup {
  const row = (name: string, s: typeof scores): Markup =>
    html`<tr><th scope="row">${name}</th><td>${short(s.meanAbsoluteError)}</td><td>${short(s.rootMeanSquaredError)}</td><td>${short(s.r2)}</td><td>${short(s.bias)}</td></tr>
`;
  const list = (values: readonly number[]): string => values.map(short).join(", ");
  return html`<p>${metricsText(metrics)} on ${count(samples)} samples of ${data}.</p>
<div class="wide" tabindex="0" role="region" aria-label="Errors of each output"><table>
<thead><tr><th scope="col" class="left">output</th><th scope="col">MAE</th><th scope="col">RMSE</th><th scope="col">R²</th><th scope="col">bias</th></tr></thead>
<tbody>${perOutput.length > 1 && perOutput.map((each, i) => row(`${i}`, each))}${row("all", scores)}</tbody></table></div>
<h3>Furthest from their targets</h3>
<ul>${worst.map(({ index, target, predicted }) => html`<li>${list(predicted)} for ${list(target)} (sample ${index})</li>`)}</ul>
`;
}
