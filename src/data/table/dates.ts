import { cos, sin } from "../../core/math.ts";

/** The year with its fraction: 2024.5 at the middle of 2024, in UTC. */
export function yearOf(at: number): number {
  const year = new Date(at).getUTCFullYear();
  const [from, to] = [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)];
  return year + (at - from) / (to - from);
}

/** Sine and cosine of the month (January at 0), the weekday (Sunday at 0) and, where wanted, the time of day. */
export function cyclesOf(at: number, time: boolean): readonly number[] {
  const date = new Date(at);
  const turns = [date.getUTCMonth() / 12, date.getUTCDay() / 7];
  if (time) turns.push((((at % 86_400_000) + 86_400_000) % 86_400_000) / 86_400_000);
  return turns.flatMap((turn) => [sin(2 * Math.PI * turn), cos(2 * Math.PI * turn)]);
}
