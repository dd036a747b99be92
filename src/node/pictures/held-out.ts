import { digestOf } from "./cache.ts";
import { PARTS, type Part, type Skipped } from "./find.ts";
import type { ReadPicture } from "./read.ts";

export type GoodPicture = Extract<ReadPicture, { readonly digest: string }>;

/** Pictures that are told apart by their content, and what was left out for it. */
export type Distinct = {
  readonly pictures: readonly GoodPicture[];
  /** The same content again in its class. */
  readonly duplicates: readonly Skipped[];
  /** In two parts: what is measured on stays, what is trained on goes. */
  readonly leaks: readonly Skipped[];
  /** The same content in several classes: nobody knows which one is right, and none is used. */
  readonly contradictions: readonly Skipped[];
};

export function distinct(pictures: readonly GoodPicture[]): Distinct {
  const groups = new Map<string, GoodPicture[]>();
  for (const each of pictures) groups.set(each.digest, [...(groups.get(each.digest) ?? []), each]);
  const kept = new Set<GoodPicture>();
  const duplicates: Skipped[] = [];
  const leaks: Skipped[] = [];
  const contradictions: Skipped[] = [];
  for (const group of groups.values()) {
    const [first] = group as [GoodPicture, ...GoodPicture[]];
    const other = group.find(({ label }) => label !== first.label);
    if (other !== undefined) {
      for (const { name } of group)
        contradictions.push({ name, reason: `is the same as ${name === first.name ? other.name : first.name}` });
      continue;
    }
    const rank = ({ part }: GoodPicture): number => (part === undefined ? 0 : PARTS.indexOf(part));
    const best = group.reduce((a, b) => (rank(b) > rank(a) ? b : a));
    kept.add(best);
    for (const each of group)
      if (each !== best)
        (each.part === best.part ? duplicates : leaks).push({ name: each.name, reason: `is the same as ${best.name}` });
  }
  return { pictures: pictures.filter((each) => kept.has(each)), duplicates, leaks, contradictions };
}

/** Shares below 1, or counts, of all pictures. */
export type Shares = { readonly validation: number; readonly test: number };

/**
 * The part of each picture: as the folder or the list says, else the same share of each class, chosen by the seed and the
 * files' contents alone: adding pictures moves few others, and names move none. A class of three or more gives at least one to each
 * part that is held out, and every class keeps one to train on.
 */
export function assignParts(pictures: readonly GoodPicture[], shares: Shares, seed: number): readonly Part[] {
  const given = new Set(pictures.map(({ part }) => part));
  const parts = pictures.map(({ part }): Part => part ?? "train");
  const isGiven = !given.has(undefined);
  const byClass = new Map<string, number[]>();
  pictures.forEach(({ label }, i) => {
    if (parts[i] === "train") byClass.set(label, [...(byClass.get(label) ?? []), i]);
  });
  const total = [...byClass.values()].reduce((sum, { length }) => sum + length, 0);
  const share = (value: number): number => (value < 1 ? value : value / total);
  for (const members of byClass.values()) {
    const rank = (i: number): string =>
      digestOf(new TextEncoder().encode(`${seed}:${(pictures[i] as GoodPicture).digest}`));
    const order = members.map((i) => [rank(i), i] as const).sort(([a], [b]) => (a < b ? -1 : 1));
    let next = 0;
    const hold = (part: Part, value: number): void => {
      const wanted = Math.max(Math.round(share(value) * members.length), members.length >= 3 && value > 0 ? 1 : 0);
      for (const end = Math.min(next + wanted, members.length - 1); next < end; next++)
        parts[(order[next] as readonly [string, number])[1]] = part;
    };
    if (!isGiven) hold("test", shares.test);
    if (!given.has("validation") && (!isGiven || shares.validation > 0)) hold("validation", shares.validation);
  }
  return parts;
}
