/** A number of a table's own units in five digits: `3.2457`, `23,479`, `374,100`, `1.2e-7`. */
export function formatValue(value: number | undefined): string {
  if (value === undefined) return "-";
  const size = Math.abs(value);
  if (!Number.isFinite(value) || (size !== 0 && (size < 1e-4 || size >= 1e12)))
    return String(Number(value.toPrecision(3)));
  return Number(value.toPrecision(5)).toLocaleString("en-US", { maximumFractionDigits: 8 });
}
