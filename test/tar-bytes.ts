import { joinBytes } from "../src/core/bytes.ts";

const BLOCK = 512;

export type TarEntry = {
  readonly path: string;
  readonly content?: Uint8Array | string;
  /** "0" a file, "5" a folder, "2" a symbolic link, "L" a long name, "x" pax records. Default "0". */
  readonly type?: string;
  /** As the header claims it. Default: the content's. */
  readonly size?: number;
  readonly link?: string;
  readonly prefix?: string;
  readonly checksum?: number;
};

const bytesOf = (content: Uint8Array | string): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

/** One entry: a ustar header, and the content up to a whole block. */
export function tarEntry({
  path,
  content = "",
  type = "0",
  size,
  link = "",
  prefix = "",
  checksum,
}: TarEntry): Uint8Array {
  const bytes = bytesOf(content);
  const header = new Uint8Array(BLOCK);
  const put = (at: number, text: string): void => header.set(bytesOf(text), at);
  put(0, path);
  put(100, "0000644\0");
  put(124, `${(size ?? bytes.length).toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0");
  put(148, "        ");
  put(156, type);
  put(157, link);
  put(257, "ustar\x0000");
  put(345, prefix);
  const sum = checksum ?? header.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return joinBytes([header, bytes, new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

/** A whole archive. */
export function tarBytes(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  return joinBytes([...entries.map(tarEntry), new Uint8Array(2 * BLOCK)]);
}
