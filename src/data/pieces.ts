/** GPT-2's pattern: contractions, words, numbers and signs each with one space before, and runs of white space. */
const PIECE =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * A text cut at GPT-2's places, in which tokens never cross a cut. Together the pieces are the text. What a letter, a
 * number or white space is, the host's Unicode says.
 *
 * @example
 * [...piecesOf("I'm  here")] // -> ["I", "'m", " ", " here"]
 */
export function* piecesOf(text: string): Generator<string> {
  for (const [piece] of text.matchAll(PIECE)) yield piece;
}

/** The pieces of bytes: those of each run of UTF-8, and each run of other bytes as one piece. */
export function* bytePieces(bytes: Uint8Array): Generator<string | Uint8Array> {
  let from = 0;
  while (from < bytes.length) {
    const valid = validUntil(bytes, from);
    if (valid > from)
      yield* piecesOf(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(from, valid)));
    from = valid;
    let to = from;
    while (to < bytes.length && characterLength(bytes, to) === 0) to++;
    if (to > from) yield bytes.subarray(from, to);
    from = to;
  }
}

function validUntil(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    const length = (bytes[at] as number) < 0x80 ? 1 : characterLength(bytes, at);
    if (length === 0) break;
    at += length;
  }
  return at;
}

/** The length of the well-formed character at a place (Unicode 15, table 3-7), or 0. */
function characterLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i] ?? 0;
    if (byte < (i === 1 ? low : 0x80) || byte > (i === 1 ? high : 0xbf)) return 0;
  }
  return length;
}
