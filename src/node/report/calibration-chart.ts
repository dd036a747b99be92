import type { Calibration } from "../../train/evaluation/evaluation.ts";
import { html, type Markup } from "./html.ts";
import { count, percent } from "./numbers.ts";

const SIDE = 240;
const EDGE = 40;

/** The share of right answers against their probability, over how many answers there are of each. */
export function calibrationChart({ bins, expectedError }: Calibration): Markup {
  const at = (share: number): number => EDGE + share * (SIDE - EDGE - 10);
  const up = (share: number): number => SIDE - EDGE + 10 - share * (SIDE - EDGE - 10) - 10;
  const most = Math.max(...bins.map((bin) => bin.count), 1);
  const shares = [0, 0.25, 0.5, 0.75, 1];
  return html`<figure class="chart narrow">
<figcaption>Calibration: of answers that are p sure, how many are right</figcaption>
<svg viewBox="0 0 ${SIDE} ${SIDE}" role="img" aria-label="Calibration: expected error ${percent(expectedError)}">
${shares.map((share) => html`<line class="grid" x1="${at(0)}" x2="${at(1)}" y1="${up(share)}" y2="${up(share)}"/><text x="${at(0) - 5}" y="${up(share) + 4}" text-anchor="end">${share * 100}</text><text x="${at(share)}" y="${up(0) + 16}" text-anchor="middle">${share * 100}</text>`)}
${bins.map((bin) => {
  if (bin.count === 0) return undefined;
  const width = (at(bin.to) - at(bin.from)) * (0.25 + 0.65 * Math.sqrt(bin.count / most));
  const middle = at((bin.from + bin.to) / 2);
  return html`<rect class="bar" x="${(middle - width / 2).toFixed(1)}" width="${width.toFixed(1)}" y="${up(bin.accuracy).toFixed(1)}" height="${(up(0) - up(bin.accuracy)).toFixed(1)}"><title>${percent(bin.confidence)} sure, ${percent(bin.accuracy)} right: ${count(bin.count)} answers</title></rect>`;
})}
<line class="line c1" x1="${at(0)}" y1="${up(0)}" x2="${at(1)}" y2="${up(1)}"/>
<text class="across" x="${(at(0) + at(1)) / 2}" y="${SIDE - 3}" text-anchor="middle">% sure</text>
</svg>
<p class="legend"><span class="key bar">% right (wider: more answers)</span> <span class="key c1">as sure as right</span></p>
</figure>
`;
}
