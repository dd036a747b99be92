/** A profile as text: pure functions of data. */

import { PHASES } from "../ir/program.ts";
import { type GroupBy, type ProfileRow, profileRows } from "../train/profile/group.ts";
import type { Profile } from "../train/profile/measure.ts";

/** A time below this share of what the ceilings allow is bound by neither: calls, latency, single elements. */
const BOUND_SHARE = 0.25;

/** At most `width` characters, the end kept: it is what tells kernels and layers apart. */
function tail(text: string, width: number, ascii: boolean): string {
  if (text.length <= width) return text.padEnd(width);
  const mark = ascii ? "~" : "…";
  return mark + text.slice(text.length - width + 1);
}

/** `sequential.3 (conv2d)` as `3 conv2d`: the model's own name says nothing. */
export function shortLayer(layer: string): string {
  return layer.replace(/(^|, )\w+\.(?=.)/g, "$1").replace(/ \((\w+)\)/g, (_, kind: string) => ` ${kind}`);
}

/** The layer in so many columns: without its kind where both are too long. */
function layerIn(layer: string, width: number, ascii: boolean): string {
  const short = shortLayer(layer);
  return tail(short.length <= width ? short : shortLayer(layer.replace(/ \(\w+\)/g, "")), width, ascii);
}

export function formatMs(ms: number): string {
  return ms >= 1000 ? ms.toFixed(0) : ms >= 99.95 ? ms.toFixed(1) : ms >= 9.995 ? ms.toFixed(2) : ms.toFixed(3);
}

const count = (n: number): string => (n > 9_999 ? `${Math.round(n / 1000)}k` : String(Math.round(n)));
const percent = (part: number): string => `${Math.round(100 * part)}%`;
const rate = (amount: number, ms: number): string => (ms > 0 && amount > 0 ? (amount / ms / 1e6).toFixed(1) : "-");

/** What holds a row back. */
export function boundOf({ ms, limitMs, limit }: ProfileRow): string {
  return limitMs < BOUND_SHARE * ms ? "neither" : limit;
}

const NUMBERS = [
  ["calls", 6],
  ["ms", 7],
  ["share", 6],
  ["GF/s", 6],
  ["%", 5],
  ["GB/s", 6],
  ["%", 5],
] as const;
const BOUND = 8;
const NARROW = 80;
const LAYER_SHARE = 0.38;

/** The longest rows first, as many as `top`; at least 80 columns wide. */
export function profileTable(
  profile: Profile,
  {
    by,
    top,
    columns,
    ascii,
  }: { readonly by: GroupBy; readonly top: number; readonly columns: number; readonly ascii: boolean },
): string[] {
  const all = profileRows(profile, by);
  const rows = top === 0 ? all : all.slice(0, top);
  const numbers = NUMBERS.reduce((sum, [, width]) => sum + width, BOUND);
  const room = Math.max(NARROW, Math.min(160, columns)) - numbers;
  const twoNames = by === "kernel" || by === "operation";
  const layerWidth = twoNames ? Math.floor(room * LAYER_SHARE) : 0;
  const nameWidth = room - layerWidth;
  const named = (name: string, layer: string): string =>
    twoNames
      ? `${tail(name, nameWidth - 1, ascii)} ${layerIn(layer, layerWidth, ascii)}`
      : tail(name, nameWidth, ascii);
  const head = `${named(by, "layer") + NUMBERS.map(([title, width]) => title.padStart(width)).join("")} bound`;
  const lines = rows.map((row) => {
    const cells = [
      count(row.calls),
      formatMs(row.ms),
      `${(100 * row.share).toFixed(row.share < 0.9995 ? 1 : 0)}%`,
      rate(row.operations, row.ms),
      row.computeMs > 0 ? percent(row.computeMs / row.ms) : "-",
      rate(row.bytes, row.ms),
      row.transferMs > 0 ? percent(row.transferMs / row.ms) : "-",
    ];
    const name = by === "layer" ? shortLayer(row.name) || "(no layer)" : row.name;
    const text = named(name, row.layer) + cells.map((cell, i) => cell.padStart(NUMBERS[i]?.[1] ?? 0)).join("");
    return `${text} ${boundOf(row)}`;
  });
  const rest = all.slice(rows.length);
  if (rest.length > 0) {
    const ms = rest.reduce((sum, row) => sum + row.ms, 0);
    const share = rest.reduce((sum, row) => sum + row.share, 0);
    lines.push(`and ${rest.length} more: ${formatMs(ms)} ms, ${(100 * share).toFixed(1)}%; --top 0 lists all`);
  }
  return [head, ...lines];
}

/** A bar for each phase, of which the dark part is what the ceilings allow. */
export function phaseBars(profile: Profile, { ascii }: { readonly ascii: boolean }): string[] {
  const rows = profileRows(profile, "phase");
  const whole = profile.kernelsMs + profile.waitMs + profile.otherMs;
  const parts = PHASES.flatMap((phase): { name: string; ms: number; limitMs: number }[] =>
    rows.filter((row) => row.name === phase),
  );
  const others = [
    { name: "waiting", ms: profile.waitMs, limitMs: 0 },
    { name: "calls", ms: profile.otherMs, limitMs: 0 },
  ].filter(({ ms }) => ms > 0.005 * whole);
  const [dark, light] = ascii ? ["#", "-"] : ["█", "░"];
  const width = 48;
  const bars = [...parts, ...others].map(({ name, ms, limitMs }) => {
    const length = whole > 0 ? Math.round((ms / whole) * width) : 0;
    const filled = Math.min(length, Math.round((limitMs / whole) * width));
    const bar = (dark.repeat(filled) + light.repeat(length - filled)).padEnd(width);
    return `${name.padEnd(9)} ${bar} ${formatMs(ms).padStart(8)} ms ${percent(ms / whole).padStart(4)}`;
  });
  return [...bars, `${" ".repeat(10)}${dark} at the ceilings  ${light} above them`];
}

/** What was measured, and against what. */
export function profileHead(profile: Profile): string[] {
  const { ceilings: c, threads } = profile;
  const limit = profile.kernels.reduce((sum, { limitMs }) => sum + limitMs, 0);
  const each = threads > 1 ? ` of ${threads} threads` : "";
  const round = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
  const compute =
    c.products === c.separate
      ? `${round(c.products)} GF/s`
      : `${round(c.products)} GF/s in products, ${round(c.separate)} elsewhere`;
  const sum = profile.kernelsMs + profile.waitMs + profile.otherMs;
  const off = profile.stepMs > 0 ? sum / profile.stepMs - 1 : 0;
  return [
    `step ${formatMs(profile.stepMs)} ms, the fastest of ${profile.steps}`,
    `its parts, each at its fastest, ${formatMs(sum)} ms (${off < 0 ? "" : "+"}${(100 * off).toFixed(1)}%)`,
    `at the ceilings ${formatMs(limit)} ms: ${compute},`,
    `${round(c.memory)} GB/s through memory, ${round(c.cache)} in the cache${each}`,
  ];
}
