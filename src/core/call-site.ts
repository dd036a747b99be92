/** V8 keeps ten frames unless told otherwise; a model inside a model has more above the user's. */
const FRAMES = 40;

/** Where the program stands now. Reading it is slow, so that waits until `callSite` is asked. */
export function markSite(): Error {
  const limited = Error as unknown as { stackTraceLimit?: number };
  const limit = limited.stackTraceLimit;
  if (limit !== undefined) limited.stackTraceLimit = FRAMES;
  const mark = new Error("mark");
  if (limit !== undefined) limited.stackTraceLimit = limit;
  return mark;
}

/**
 * The call into this library that led to a mark, as `file:line:column`: the innermost frame outside the library and installed
 * packages. Undefined where the engine does not say, or where the program and the library are one bundled file.
 */
export function callSite(mark: Error): string | undefined {
  const places = (mark.stack ?? "").split("\n").flatMap((line) => {
    const found = /^\s*(?:at\s+)?(?:.*[(@])?((?:[a-z]+:\/\/|[A-Za-z]:\\|\/).+?):(\d+):(\d+)\)?$/.exec(line);
    return found ? [{ file: found[1] as string, at: `${found[2]}:${found[3]}` }] : [];
  });
  const own = places[0]?.file;
  if (own === undefined) return undefined;
  const library = own.replace(/core\/call-site\.[jt]s$/, "");
  const outside = places.find(({ file }) => !file.startsWith(library) && !/[\\/]node_modules[\\/]/.test(file));
  return outside && `${outside.file.replace(/^file:\/\//, "")}:${outside.at}`;
}
