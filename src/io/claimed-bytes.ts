/**
 * Bytes that a file's shape claims; undefined where it is beyond all memory.
 * A zero among the sizes makes the array empty, but does not excuse the others: their product must be exact as well.
 */
export function claimedBytes(shape: readonly number[], elementBytes: number): number | undefined {
  let bytes = elementBytes;
  for (const size of shape) {
    if (size !== 0) bytes *= size;
    if (bytes > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return shape.includes(0) ? 0 : bytes;
}
