import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { get as getPlain, type IncomingMessage } from "node:http";
import { get as getSecure } from "node:https";
import { basename, dirname, join } from "node:path";
import { DataError } from "../core/errors.ts";
import { type Digest, digestFault } from "./digest.ts";
import { fileSize, reasonOf, syncFolder } from "./file-store.ts";

export type DownloadOptions = {
  /** Addresses of the same file, tried in order. */
  readonly urls: readonly string[];
  /** Where the file goes, once it is whole and its digest is right. */
  readonly path: string;
  /** Published size and digest. */
  readonly bytes: number;
  readonly digest: Digest;
  /** Called with the bytes at hand, those of an earlier attempt included. */
  readonly onProgress?: (receivedBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Default 30,000: without a byte for so long, an attempt is given up. */
  readonly idleTimeoutMs?: number;
  /** Attempts at each address after the connection broke. Default 3. */
  readonly attempts?: number;
  /** Default 500: waited before the second attempt; doubled before each further one. */
  readonly retryDelayMs?: number;
};

/** Why an attempt failed, and whether the same address may do better. */
class AttemptError extends Error {
  readonly retry: boolean;
  constructor(message: string, retry: boolean) {
    super(message);
    this.retry = retry;
  }
}

const MAX_REDIRECTS = 5;
const RETRIED_STATUSES = [408, 429, 500, 502, 503, 504];
const RETRIED_CODES = ["ECONNRESET", "EPIPE", "ETIMEDOUT"];

/**
 * Fetches a file over HTTP(S) to `path`: into a partial file beside it, resumed where an earlier attempt (also of a process
 * that died) left off, checked for size and digest, flushed, renamed. A file at `path` is therefore always whole.
 *
 * Throws DataError with the reason at each address, or the signal's reason when it is aborted; the partial file stays for
 * the next attempt unless its content is wrong.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { urls, path, signal, attempts = 3, retryDelayMs = 500 } = options;
  signal?.throwIfAborted();
  const reasons: string[] = [];
  const part = await claimPart(path).catch((error: unknown) => {
    throw new DataError(`download: cannot write to ${dirname(path)}: ${reasonOf(error)}.`, path);
  });
  try {
    for (const url of urls)
      for (let attempt = 1; ; attempt++) {
        try {
          await attemptDownload(url, part, options);
          await rename(part, path);
          await syncFolder(dirname(path));
          await removeParts(path);
          return;
        } catch (error) {
          signal?.throwIfAborted();
          if (error instanceof AttemptError && error.retry && attempt < attempts) {
            await wait(retryDelayMs * 2 ** (attempt - 1), signal);
            continue;
          }
          reasons.push(`${url}: ${reasonOf(error)}`);
          break;
        }
      }
  } finally {
    active.delete(part);
  }
  throw new DataError(`download: cannot fetch ${basename(path)}. ${reasons.join(". ")}.`, urls[0] ?? path);
}

async function attemptDownload(url: string, part: string, options: DownloadOptions): Promise<void> {
  const { bytes, digest, onProgress } = options;
  let start = (await fileSize(part)) ?? 0;
  if (start > bytes) {
    await rm(part);
    start = 0;
  }
  onProgress?.(start);
  if (start < bytes) await receive(new URL(url), part, start, options);
  const wrong = await digestFault(part, digest);
  if (wrong === undefined) return;
  await rm(part, { force: true });
  // What was resumed may have been another file's beginning: worth one attempt from zero.
  throw new AttemptError(wrong, start > 0);
}

/** Appends to the partial file what follows its first `start` bytes. */
async function receive(url: URL, part: string, start: number, options: DownloadOptions): Promise<void> {
  const { bytes, onProgress } = options;
  const response = await follow(url, start > 0 ? { range: `bytes=${start}-` } : {}, options);
  try {
    const resumed = await checkResponse(response, part, start, bytes);
    const file = await open(part, resumed ? "a" : "w");
    let received = resumed ? start : 0;
    try {
      for await (const chunk of response as AsyncIterable<Uint8Array>) {
        received += chunk.length;
        if (received > bytes) throw new AttemptError(`sent more than ${bytes} bytes; expected ${bytes}`, false);
        await file.writeFile(chunk);
        onProgress?.(received);
      }
      await file.sync();
    } catch (error) {
      if (error instanceof AttemptError) throw error;
      throw new AttemptError(`broke off after ${received} of ${bytes} bytes (${reasonOf(error)})`, true);
    } finally {
      await file.close();
      if (received > bytes) await rm(part, { force: true });
    }
    if (received < bytes) throw new AttemptError(`ended after ${received} of ${bytes} bytes`, true);
  } finally {
    response.destroy();
  }
}

/** Whether the response continues at `start`. Throws when it is not the file. */
async function checkResponse(response: IncomingMessage, part: string, start: number, bytes: number): Promise<boolean> {
  const { statusCode = 0, headers } = response;
  if (statusCode === 206) {
    const [, from, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers["content-range"] ?? "") ?? [];
    if (Number(from) === start && (total === "*" || Number(total) === bytes)) return true;
  }
  if (statusCode === 206 || statusCode === 416) {
    await rm(part, { force: true });
    throw new AttemptError(`cannot continue at byte ${start} (status ${statusCode})`, true);
  }
  if (statusCode !== 200) throw new AttemptError(`answered ${statusCode}`, RETRIED_STATUSES.includes(statusCode));
  const length = headers["content-length"];
  if (length !== undefined && Number(length) !== bytes)
    throw new AttemptError(`offers ${length} bytes; expected ${bytes}`, false);
  return false;
}

async function follow(first: URL, headers: Record<string, string>, options: DownloadOptions): Promise<IncomingMessage> {
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await request(url, headers, options);
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) || location === undefined) return response;
    response.destroy();
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (
      next === undefined ||
      !/^https?:$/.test(next.protocol) ||
      (url.protocol === "https:" && next.protocol !== "https:")
    )
      throw new AttemptError(`redirects to ${location}; expected an https address`, false);
    url = next;
  }
  throw new AttemptError(`redirects more than ${MAX_REDIRECTS} times`, false);
}

function request(url: URL, headers: Record<string, string>, options: DownloadOptions): Promise<IncomingMessage> {
  const { signal, idleTimeoutMs = 30_000 } = options;
  return new Promise((resolve, reject) => {
    const get = url.protocol === "https:" ? getSecure : getPlain;
    // A compressed transfer would be another size, and another digest.
    const sent = get(url, {
      headers: { "accept-encoding": "identity", "user-agent": "downhill", ...headers },
      timeout: idleTimeoutMs,
      ...(signal === undefined ? {} : { signal }),
    });
    sent.on("response", resolve);
    sent.on("timeout", () => {
      sent.destroy(Object.assign(new Error(`no data for ${idleTimeoutMs / 1000} s`), { code: "ETIMEDOUT" }));
    });
    sent.on("error", (error: NodeJS.ErrnoException) => {
      reject(new AttemptError(reasonOf(error), RETRIED_CODES.includes(error.code ?? "")));
    });
  });
}

function wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}

/** Partial files that this process writes to now. */
const active = new Set<string>();

/** `train.gz.1234-9f3c01ab.part`: the number of the process that writes to it keeps others off. */
const PART_NAME = /\.(\d+)-[0-9a-f]{8}\.part$/;

async function partsOf(path: string): Promise<{ readonly file: string; readonly free: boolean }[]> {
  const folder = dirname(path);
  return (await readdir(folder))
    .filter((name) => name.startsWith(`${basename(path)}.`))
    .flatMap((name) => {
      const pid = PART_NAME.exec(name)?.[1];
      if (pid === undefined) return [];
      const file = join(folder, name);
      return [{ file, free: Number(pid) === process.pid ? !active.has(file) : !isAlive(Number(pid)) }];
    });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** A partial file for this call alone: the largest that nobody writes to any more, renamed, or a new one. */
async function claimPart(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const own = `${path}.${process.pid}-${randomBytes(4).toString("hex")}.part`;
  active.add(own);
  const free = (await partsOf(path)).filter((part) => part.free);
  const sized = await Promise.all(free.map(async ({ file }) => ({ file, size: (await fileSize(file)) ?? 0 })));
  for (const { file } of sized.sort((a, b) => b.size - a.size)) {
    try {
      await rename(file, own);
      break;
    } catch {
      // Another process took it between the listing and now.
    }
  }
  return own;
}

async function removeParts(path: string): Promise<void> {
  for (const { file, free } of await partsOf(path)) if (free) await rm(file, { force: true });
}
