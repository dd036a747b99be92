import { profileRows } from "../train/profile/group.ts";
import type { Profile, ProfiledKernel } from "../train/profile/measure.ts";
import { escapeXml } from "./chart.ts";
import { formatMs, shortLayer } from "./profile-table.ts";

const WIDTH = 1000;
const MARGIN = 20;
const BAND = 26;
const BAR = 18;
const LABELS = 330;
const FIGURES = 230;
const MOST_BARS = 30;
/** Below this a band has no room for its text. */
const LEAST_TEXT = 46;

/** Dark at the ceilings, light above them. */
const COLORS: Readonly<Record<string, readonly [dark: string, light: string]>> = {
  sample: ["#b45309", "#fcd34d"],
  forward: ["#1d4ed8", "#bfdbfe"],
  backward: ["#b91c1c", "#fecaca"],
  update: ["#047857", "#a7f3d0"],
};
const DARK: ReadonlySet<string> = new Set(Object.values(COLORS).map(([dark]) => dark));
const colorsOf = (phase: string): readonly [string, string] => COLORS[phase] ?? ["#374151", "#d1d5db"];

type Band = { readonly text: string; readonly title: string; readonly from: number; to: number; readonly fill: string };

/** Neighbours of one name are one band. */
function bandsOf(
  kernels: readonly ProfiledKernel[],
  of: (kernel: ProfiledKernel) => { readonly key: string; readonly text: string; readonly fill: string },
): Band[] {
  const bands: Band[] = [];
  let last = "";
  let at = 0;
  for (const kernel of kernels) {
    const { key, text, fill } = of(kernel);
    const known = bands.at(-1);
    if (known && key === last) known.to = at + kernel.ms;
    else bands.push({ text, title: key, from: at, to: at + kernel.ms, fill });
    last = key;
    at += kernel.ms;
  }
  return bands;
}

/** The step in the order in which it runs (phases, layers, kernels), and its longest kernels. */
export function drawProfile(profile: Profile, title: string): string {
  const { kernels, kernelsMs } = profile;
  const scale = (WIDTH - 2 * MARGIN) / Math.max(kernelsMs, Number.MIN_VALUE);
  const rect = (x: number, y: number, width: number, height: number, fill: string, inner = ""): string =>
    `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0, width).toFixed(1)}" height="${height}" fill="${fill}"${inner === "" ? "/>" : `>${inner}</rect>`}`;
  const text = (x: number, y: number, content: string, more = ""): string =>
    `<text x="${x.toFixed(1)}" y="${y}"${more}>${escapeXml(content)}</text>`;
  const row = (bands: readonly Band[], y: number): string[] =>
    bands.flatMap(({ text: label, title: full, from, to, fill }) => {
      const color = DARK.has(fill) ? "#ffffff" : "#111827";
      const [x, width] = [MARGIN + from * scale, (to - from) * scale];
      const shown = `<title>${escapeXml(`${full}: ${formatMs(to - from)} ms`)}</title>`;
      const room = Math.floor((width - 8) / 6.2);
      return [
        rect(x, y, width - (width > 2 ? 1 : 0), BAND - 2, fill, shown),
        ...(width >= LEAST_TEXT
          ? [text(x + 4, y + 16, label.slice(0, room), ` fill="${color}" pointer-events="none"`)]
          : []),
      ];
    });
  const phases = bandsOf(kernels, ({ phase }) => ({ key: phase, text: phase, fill: colorsOf(phase)[0] }));
  const layers = bandsOf(kernels, ({ phase, layer }) => ({
    key: layer === "" ? phase : `${layer}, ${phase}`,
    text: shortLayer(layer),
    fill: colorsOf(phase)[1],
  }));
  const each = kernels.map((kernel, i) => ({ kernel, key: `${i}` }));
  let next = 0;
  const single = bandsOf(kernels, ({ name, layer, phase, limitMs, ms, operations }) => {
    const { key } = each[next++] as { readonly key: string };
    const share = ms > 0 ? Math.min(1, limitMs / ms) : 1;
    const about = `${name}${layer === "" ? "" : ` in ${layer}`}, ${(operations / Math.max(ms, 1e-9) / 1e6).toFixed(1)} GF/s, ${Math.round(100 * share)}% of its ceiling`;
    return { key: `${about} #${key}`, text: name, fill: share >= 0.5 ? colorsOf(phase)[0] : colorsOf(phase)[1] };
  }).map((band) => ({ ...band, title: band.title.replace(/ #\d+$/, "") }));

  const top = 64;
  const rows = profileRows(profile, "kernel").slice(0, MOST_BARS);
  const start = top + 3 * BAND + 46;
  const longest = rows[0]?.ms ?? 0;
  const perMs = (WIDTH - 2 * MARGIN - LABELS - FIGURES) / Math.max(longest, Number.MIN_VALUE);
  const bars = rows.flatMap((kernel, i) => {
    const y = start + i * BAR;
    const [dark, light] = colorsOf(kernel.phase);
    const x = MARGIN + LABELS;
    const label = [kernel.name, shortLayer(kernel.layer)].filter((part) => part !== "").join(" · ");
    const figures = `${formatMs(kernel.ms)} ms · ${(100 * kernel.share).toFixed(1)}% · ${(kernel.operations / kernel.ms / 1e6).toFixed(1)} GF/s · ${(kernel.bytes / kernel.ms / 1e6).toFixed(1)} GB/s`;
    return [
      text(x - 8, y + 12, label.length > 52 ? `${label.slice(0, 51)}…` : label, ' text-anchor="end"'),
      rect(x, y + 1, kernel.ms * perMs, BAR - 4, light),
      rect(x, y + 1, Math.min(kernel.ms, kernel.limitMs) * perMs, BAR - 4, dark),
      text(WIDTH - MARGIN, y + 12, figures, ' text-anchor="end"'),
    ];
  });
  const height = start + rows.length * BAR + 30;
  const legend = Object.entries(COLORS).flatMap(([phase, [dark, light]], i) => [
    rect(MARGIN + i * 110, height - 20, 12, 12, dark),
    rect(MARGIN + 13 + i * 110, height - 20, 12, 12, light),
    text(MARGIN + 30 + i * 110, height - 10, phase),
  ]);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="11" fill="#374151">`,
    `<title>${escapeXml(title)}</title>`,
    rect(0, 0, WIDTH, height, "#ffffff"),
    text(MARGIN, 26, title, ' font-size="16" fill="#111827"'),
    text(
      MARGIN,
      46,
      `A step in the order in which it runs, ${formatMs(kernelsMs)} ms; kernels that reach half of their ceiling are dark.`,
    ),
    ...row(phases, top),
    ...row(layers, top + BAND),
    ...row(single, top + 2 * BAND),
    text(MARGIN, start - 14, "Its longest kernels; the dark part is what the ceilings allow."),
    ...bars,
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}
