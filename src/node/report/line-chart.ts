import { html, type Markup } from "./html.ts";
import { short, ticks } from "./numbers.ts";

/** Points of a line, or marks at a few places. */
export type Line = {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Every point is marked: a value of an epoch. */
  readonly marks?: boolean;
};

export type LineChart = {
  readonly title: string;
  readonly across: string;
  readonly lines: readonly Line[];
  /** Equal factors are equally far apart; only where all values are above 0. */
  readonly logarithmic?: boolean;
};

const [WIDTH, HEIGHT] = [460, 240];
const EDGE = { left: 52, right: 12, top: 12, bottom: 34 };
/** A line has no more points than this: each is the mean of those that it stands for. */
const MAX_POINTS = 300;

/** A chart as SVG that takes its colours from the page; undefined where there is nothing to draw. */
export function lineChart({ title, across, lines: given, logarithmic = false }: LineChart): Markup | undefined {
  const lines = given
    .map((line) => ({
      ...line,
      points: thinned(line.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y))),
    }))
    .filter(({ points }) => points.length > 0);
  if (lines.length === 0) return undefined;
  const all = lines.flatMap(({ points }) => points);
  const logs = logarithmic && all.every(([, y]) => y > 0);
  const x = axis(
    given.flatMap(({ points }) => points.map(([at]) => at)).filter(Number.isFinite),
    [EDGE.left, WIDTH - EDGE.right],
    false,
  );
  const y = axis(
    all.map(([, value]) => value),
    [HEIGHT - EDGE.bottom, EDGE.top],
    logs,
  );
  const place = ([at, value]: readonly [number, number]): string => `${x.at(at).toFixed(1)},${y.at(value).toFixed(1)}`;
  return html`<figure class="chart">
<figcaption>${title}</figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${spoken(title, lines)}">
${y.ticks.map((value) => html`<line class="grid" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${y.at(value).toFixed(1)}" y2="${y.at(value).toFixed(1)}"/><text x="${EDGE.left - 6}" y="${(y.at(value) + 4).toFixed(1)}" text-anchor="end">${short(value)}</text>`)}
${x.ticks.map((value) => html`<line class="tick" x1="${x.at(value).toFixed(1)}" x2="${x.at(value).toFixed(1)}" y1="${HEIGHT - EDGE.bottom}" y2="${HEIGHT - EDGE.bottom + 4}"/><text x="${x.at(value).toFixed(1)}" y="${HEIGHT - EDGE.bottom + 17}" text-anchor="middle">${short(value)}</text>`)}
<text class="across" x="${(EDGE.left + WIDTH - EDGE.right) / 2}" y="${HEIGHT - 3}" text-anchor="middle">${across}</text>
<line class="axis" x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${HEIGHT - EDGE.bottom}" y2="${HEIGHT - EDGE.bottom}"/>
${lines.map(({ points, marks = false }, i) => [
  points.length > 1 && html`<polyline class="line c${i % 4}" points="${points.map(place).join(" ")}"/>`,
  (marks || points.length === 1) &&
    points.map(
      (point) =>
        html`<circle class="mark c${i % 4}" cx="${x.at(point[0]).toFixed(1)}" cy="${y.at(point[1]).toFixed(1)}" r="${points.length > 60 ? 1.5 : 3}"/>`,
    ),
])}
</svg>
${lines.length > 1 && html`<p class="legend">${lines.map(({ label }, i) => html`<span class="key c${i % 4}">${label}</span> `)}</p>`}
</figure>
`;
}

type Axis = { readonly at: (value: number) => number; readonly ticks: readonly number[] };

function axis(values: readonly number[], [from, to]: readonly [number, number], logarithmic: boolean): Axis {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (logarithmic && high > low) {
    const [bottom, top] = [Math.log10(low), Math.log10(high)];
    return {
      at: (value) => from + ((Math.log10(value) - bottom) / (top - bottom)) * (to - from),
      ticks: logarithmicTicks(low, high),
    };
  }
  if (low === high) [low, high] = low === 0 ? [0, 1] : [Math.min(0, low), Math.max(0, high)];
  else if (low > 0 && low < high / 3) low = 0;
  return { at: (value) => from + ((value - low) / (high - low)) * (to - from), ticks: ticks(low, high, 5) };
}

/** Powers of ten, with 2 and 5 of each where there are few. */
function logarithmicTicks(low: number, high: number): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const every = Math.ceil((last - first) / 6);
  const powers = Array.from({ length: last - first + 1 }, (_, i) => first + i).filter((power) => power % every === 0);
  const factors = last - first > 3 ? [1] : [1, 2, 5];
  const found = powers
    .flatMap((power) => factors.map((factor) => Number((factor * 10 ** power).toPrecision(3))))
    .filter((value) => value >= low && value <= high);
  return found.length > 1 ? found : ticks(low, high, 4);
}

function thinned(points: Line["points"]): Line["points"] {
  if (points.length <= MAX_POINTS) return points;
  return Array.from({ length: MAX_POINTS }, (_, i) => {
    const part = points.slice(
      Math.floor((i * points.length) / MAX_POINTS),
      Math.floor(((i + 1) * points.length) / MAX_POINTS),
    );
    const mean = (j: 0 | 1): number => part.reduce((sum, point) => sum + point[j], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
}

/** What a screen reader says of a chart. */
function spoken(title: string, lines: readonly Line[]): string {
  const ends = lines.map(({ label, points }) => {
    const [first, last] = [points[0], points.at(-1)] as [Line["points"][number], Line["points"][number]];
    return `${label} from ${short(first[1])} to ${short(last[1])}`;
  });
  return `${title}: ${ends.join("; ")}`;
}
