import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

/** A published digest, in hexadecimal digits, and how it was made. */
export type Digest = `${"md5" | "sha256"}:${string}`;

/** What is wrong with a file that should have this digest. */
export async function digestFault(path: string, digest: Digest): Promise<string | undefined> {
  const [algorithm = "", expected] = digest.split(":");
  const hash = createHash(algorithm);
  await pipeline(createReadStream(path), hash);
  const found = hash.digest("hex");
  return found === expected ? undefined : `has ${algorithm} ${found}; expected ${expected}`;
}
