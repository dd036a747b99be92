/** The picture of docs/benchmarks.md: steps' times as shares of PyTorch's, one panel for each thread count. */
import { COLUMNS } from "./targets.mjs";

/**
 * @typedef {{ title: string, values: readonly (number | undefined)[] }} Group one value for each series
 * @typedef {{ title: string, groups: readonly Group[] }} Panel
 */

const SERIES = [
  { name: "fast", color: "#4c78a8" },
  { name: "wide", color: "#f58518" },
  { name: "native (system BLAS)", color: "#54a24b" },
];
const WIDTH = 760;
const LABELS = 150;
const TOP = 58;
const BAR = 9;
const GAP = 12;
const FONT = 'font-family="system-ui, sans-serif"';

/** @param {string} text */
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;");

/**
 * Horizontal bars; the line at 1 is PyTorch.
 * @param {readonly Panel[]} panels Of the same groups. @param {string} caption
 */
export function chart(panels, caption) {
  const names = panels[0]?.groups.map(({ title }) => title) ?? [];
  const height = TOP + names.length * (BAR * COLUMNS.length + GAP) + 34;
  const width = (WIDTH - LABELS - 20) / panels.length - 34;
  const most = Math.max(
    1.2,
    ...panels.flatMap(({ groups }) => groups.flatMap(({ values }) => values.map((v) => v ?? 0))),
  );
  const scale = width / (most * 1.02);
  /** @type {string[]} */
  const parts = [];
  const text = (
    /** @type {number} */ x,
    /** @type {number} */ y,
    /** @type {string} */ content,
    { size = 11, anchor = "start", fill = "#222", weight = "normal" } = {},
  ) =>
    parts.push(
      `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" font-size="${size}" text-anchor="${anchor}" fill="${fill}" font-weight="${weight}">${escaped(content)}</text>`,
    );
  let at = LABELS;
  for (const { name, color } of SERIES) {
    parts.push(`<rect x="${at}" y="12" width="11" height="11" fill="${color}"/>`);
    text(at + 16, 22, name);
    at += 36 + 6.6 * name.length;
  }
  text(at, 22, "| PyTorch's best = 1; shorter is faster", { fill: "#666" });
  for (const [i, name] of names.entries())
    text(LABELS - 8, TOP + i * (BAR * 3 + GAP) + BAR * 1.5 + 4, name, { anchor: "end" });
  for (const [p, { title, groups }] of panels.entries()) {
    const left = LABELS + p * (width + 34);
    text(left, TOP - 12, title, { size: 12, weight: "bold" });
    for (const [i, { values }] of groups.entries())
      for (const [s, value] of values.entries()) {
        const y = TOP + i * (BAR * 3 + GAP) + s * BAR;
        if (value === undefined) continue;
        parts.push(
          `<rect x="${left}" y="${y}" width="${(value * scale).toFixed(1)}" height="${BAR - 1}" fill="${SERIES[s]?.color}"/>`,
        );
        text(left + value * scale + 3, y + BAR - 1.5, value.toFixed(2), { size: 9, fill: "#444" });
      }
    const one = (left + scale).toFixed(1);
    parts.push(
      `<line x1="${one}" y1="${TOP - 6}" x2="${one}" y2="${height - 30}" stroke="#b22" stroke-width="1.2" stroke-dasharray="4 2"/>`,
    );
  }
  text(WIDTH / 2, height - 10, caption, { size: 10, anchor: "middle", fill: "#666" });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" ${FONT} role="img" aria-label="Times of a training step as shares of PyTorch's">
<rect width="${WIDTH}" height="${height}" rx="6" fill="#fff"/>
${parts.join("\n")}
</svg>
`;
}
