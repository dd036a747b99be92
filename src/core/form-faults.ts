import { type Aval, formatAval, sameShape } from "./dtype.ts";

type Form = readonly (readonly [path: string, aval: Aval])[];

const SHOWN = 6;

function listed(parts: readonly string[]): string {
  const rest = parts.length - SHOWN;
  return rest > 0 ? `${parts.slice(0, SHOWN).join(", ")} and ${rest} more` : parts.join(", ");
}

/** What of a tree of arrays is missing, too much or of another type, by path, in one sentence; undefined where it fits. */
export function formFaults(expected: Form, found: Form): string | undefined {
  const wanted = new Map(expected);
  const given = new Map(found);
  const show = ([path, aval]: Form[number]): string => `${path} ${formatAval(aval)}`;
  const missing = expected.filter(([path]) => !given.has(path)).map(show);
  const extra = found.filter(([path]) => !wanted.has(path)).map(show);
  const other = expected.flatMap(([path, aval]) => {
    const got = given.get(path);
    if (got === undefined || (got.dtype === aval.dtype && sameShape(got.shape, aval.shape))) return [];
    return [`${path} ${formatAval(got)} instead of ${formatAval(aval)}`];
  });
  const faults = [
    ...(missing.length > 0 ? [`without ${listed(missing)}`] : []),
    ...(extra.length > 0 ? [`with ${listed(extra)}, which does not belong to it`] : []),
    ...(other.length > 0 ? [`with ${listed(other)}`] : []),
  ];
  return faults.length === 0 ? undefined : faults.join("; ");
}
