/** A value at each of `steps` steps. */
export type Curve = { readonly label: string; readonly values: Float64Array };

export type Chart = {
  readonly curves: readonly Curve[];
  /** Steps in an epoch: the lower axis counts epochs. */
  readonly stepsPerEpoch: number;
};

/** Bits of a braille character by row and column of its 4 x 2 dots. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;
const BRAILLE = 0x2800;
/** One mark for each curve where braille cannot be shown. */
const MARKS = "*o+x#@";

/** At most five digits, as the axes write numbers. */
export function shortNumber(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e5 || size < 1e-3) return value.toExponential(size >= 1e-99 ? 1 : 0);
  return `${Number(value.toPrecision(3))}`;
}

/** Largest and smallest of all curves; a flat one gets room. */
function rangeOf(curves: readonly Curve[]): { low: number; high: number } {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const { values } of curves)
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  if (low === high) return { low: Math.min(0, low), high: Math.max(0, high) || 1 };
  return { low: low > 0 && low < high / 2 ? 0 : low, high };
}

/** For each of `columns` points across: lowest, highest and last value of the steps that it stands for. */
function* columnsOf(
  values: Float64Array,
  columns: number,
): Generator<readonly [low: number, high: number, last: number]> {
  for (let x = 0; x < columns; x++) {
    const from = Math.floor((x * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((x + 1) * values.length) / columns));
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = from; i < Math.min(to, values.length); i++) {
      low = Math.min(low, values[i] as number);
      high = Math.max(high, values[i] as number);
    }
    yield [low, high, values[Math.min(to, values.length) - 1] as number];
  }
}

/** The lower axis: epochs at its ends and between. */
function lowerAxis(steps: number, stepsPerEpoch: number, width: number, ascii: boolean): string[] {
  const epochs = steps / stepsPerEpoch;
  const marks = 5;
  const rule = new Array<string>(width).fill(ascii ? "-" : "─");
  const text = new Array<string>(width).fill(" ");
  // The ends first: what would touch them is left out.
  for (const i of [0, marks - 1, (marks - 1) / 2, 1, marks - 2]) {
    const at = Math.round((i * (width - 1)) / (marks - 1));
    rule[at] = ascii ? "+" : "┬";
    const label = shortNumber(Number(((i * epochs) / (marks - 1)).toPrecision(3)));
    const start = Math.max(0, Math.min(width - label.length, at - Math.floor(label.length / 2)));
    const free = text.slice(Math.max(0, start - 1), start + label.length + 1).every((cell) => cell === " ");
    if (free) for (let j = 0; j < label.length; j++) text[start + j] = label[j] as string;
  }
  return [rule.join(""), text.join("").trimEnd()];
}

/** The curves as lines of text with axes, `width` columns and `height` rows for the plot itself. */
export function drawChart(chart: Chart, options: { width: number; height: number; ascii: boolean }): string[] {
  const { width, height, ascii } = options;
  const { curves, stepsPerEpoch } = chart;
  const { low, high } = rangeOf(curves);
  const [across, down] = ascii ? [1, 1] : [2, 4];
  const rows = height * down;
  const cells = Array.from({ length: height }, () => new Array<number>(width).fill(0));
  curves.forEach(({ values }, index) => {
    const y = (value: number): number => Math.round(((high - value) / (high - low)) * (rows - 1));
    let last: number | undefined;
    let x = 0;
    for (const [least, most, final] of columnsOf(values, width * across)) {
      let [top, bottom] = [y(most), y(least)];
      // A jump is drawn as a line between the two heights.
      if (last !== undefined && !ascii) [top, bottom] = [Math.min(top, last), Math.max(bottom, last)];
      for (let row = top; row <= bottom; row++) {
        const line = cells[Math.floor(row / down)] as number[];
        const cell = Math.floor(x / across);
        if (ascii) line[cell] = index + 1;
        else line[cell] = (line[cell] as number) | ((DOTS[row % down] as readonly number[])[x % across] as number);
      }
      last = y(final);
      x++;
    }
  });
  const labels = Array.from({ length: height }, (_, row) => {
    const marked = row === 0 || row === height - 1 || row === Math.floor((height - 1) / 2);
    // The lowest is exact: a rounding error would be written out where it is 0.
    const value = row === height - 1 ? low : high - ((high - low) * row) / Math.max(1, height - 1);
    return marked ? shortNumber(value) : "";
  });
  const margin = Math.max(...labels.map((label) => label.length));
  const drawn = cells.map((line, row) => {
    const text = line.map((cell) => {
      if (!ascii) return cell === 0 ? " " : String.fromCharCode(BRAILLE + cell);
      return cell === 0 ? " " : (MARKS[(cell - 1) % MARKS.length] as string);
    });
    const label = (labels[row] as string).padStart(margin);
    const side = ascii ? "|" : label.trim() === "" ? "│" : "┤";
    return `${label} ${side}${text.join("").trimEnd()}`;
  });
  const steps = Math.max(...curves.map(({ values }) => values.length));
  const [rule = "", text = ""] = lowerAxis(steps, stepsPerEpoch, width, ascii);
  const pad = " ".repeat(margin + 1);
  const corner = ascii ? "+" : "└";
  return [...drawn, `${pad}${corner}${rule}`, `${pad} ${text}`, `${pad} epochs`];
}

const COLORS = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2"];

export const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** The curves as a picture that stands on its own. */
export function drawSvg({ curves, stepsPerEpoch }: Chart, title: string): string {
  const [width, height] = [800, 440];
  const box = { left: 70, top: 50, right: 20, bottom: 50 + 20 * curves.length };
  const plot = { width: width - box.left - box.right, height: height - box.top - 50 };
  const { low, high } = rangeOf(curves);
  const steps = Math.max(...curves.map(({ values }) => values.length));
  const x = (step: number): number => box.left + (step / Math.max(1, steps - 1)) * plot.width;
  const y = (value: number): number => box.top + ((high - value) / (high - low)) * plot.height;
  const point = (px: number, py: number): string => `${px.toFixed(1)},${py.toFixed(1)}`;
  const lines = curves.map(({ values }, i) => {
    const points: string[] = [];
    const count = plot.width * 2;
    let at = 0;
    for (const [least, most] of columnsOf(values, Math.min(count, values.length))) {
      const step = (at / Math.max(1, Math.min(count, values.length) - 1)) * (values.length - 1);
      points.push(point(x(step), y(most)));
      if (least !== most) points.push(point(x(step), y(least)));
      at++;
    }
    const color = COLORS[i % COLORS.length];
    return `<polyline fill="none" stroke="${color}" stroke-width="2" points="${points.join(" ")}"/>`;
  });
  const marks = [0, 0.25, 0.5, 0.75, 1];
  const across = marks.map((part) => {
    const at = box.left + part * plot.width;
    const label = shortNumber(Number(((part * steps) / stepsPerEpoch).toPrecision(3)));
    return `<line x1="${at}" y1="${box.top}" x2="${at}" y2="${box.top + plot.height}" stroke="#e5e7eb"/><text x="${at}" y="${box.top + plot.height + 20}" text-anchor="middle">${label}</text>`;
  });
  const down = marks.map((part) => {
    const value = high - part * (high - low);
    return `<line x1="${box.left}" y1="${y(value)}" x2="${box.left + plot.width}" y2="${y(value)}" stroke="#e5e7eb"/><text x="${box.left - 8}" y="${y(value) + 4}" text-anchor="end">${shortNumber(value)}</text>`;
  });
  const legend = curves.map(
    ({ label }, i) =>
      `<text x="${box.left}" y="${height + 20 * i}" fill="${COLORS[i % COLORS.length]}">${escapeXml(label)}</text>`,
  );
  const total = height + 20 * curves.length;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" font-family="system-ui, sans-serif" font-size="12" fill="#374151">`,
    `<rect width="${width}" height="${total}" fill="#ffffff"/>`,
    `<text x="${box.left}" y="28" font-size="16" fill="#111827">${escapeXml(title)}</text>`,
    ...across,
    ...down,
    ...lines,
    `<text x="${box.left + plot.width / 2}" y="${box.top + plot.height + 38}" text-anchor="middle">epochs</text>`,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}
