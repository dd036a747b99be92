import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DataError } from "../core/errors.ts";
import { type DownloadOptions, download } from "./download.ts";

const content = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 31 + (i >> 8)) % 256);
const md5 = createHash("md5").update(content).digest("hex");

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

let folder = "";
let server: Server;
/** What the server does with the first, second, ... request; the last one repeats. */
let answers: Answer[] = [];
/** Bytes that the client has kept. */
let received = 0;
let requests: { readonly path: string; readonly range: string | undefined }[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "downhill-download-"));
  answers = [];
  requests = [];
  received = 0;
  server = createServer((request, response) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push({ path: request.url ?? "", range: request.headers.range });
    answer?.(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const target = () => join(folder, "cache", "data.gz");
const fetchIt = ({ onProgress, ...options }: Partial<DownloadOptions> = {}) =>
  download({
    onProgress: (bytes) => {
      received = bytes;
      onProgress?.(bytes);
    },

    urls: [`${origin()}/data.gz`],
    path: target(),
    bytes: content.length,
    digest: `md5:${md5}`,
    retryDelayMs: 1,
    ...options,
  });
const files = () => readdir(join(folder, "cache"));
const cached = async () => new Uint8Array(await readFile(target()));

/** A server that does everything right, ranges included. */
const good: Answer = (request, response) => {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const rest = content.subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    "content-length": rest.length,
    ...(start > 0 ? { "content-range": `bytes ${start}-${content.length - 1}/${content.length}` } : {}),
  });
  response.end(rest);
};
/** Announces all and breaks the connection once the client has kept `bytes`: what it has not read yet is lost with it. */
const cutOff =
  (bytes: number): Answer =>
  (_, response) => {
    response.writeHead(200, { "content-length": content.length });
    response.write(content.subarray(0, bytes));
    const breakOff = (): unknown => (received < bytes ? setTimeout(breakOff, 1) : response.destroy());
    breakOff();
  };
const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    response.writeHead(code, headers).end("no");
  };
const sends =
  (body: Uint8Array): Answer =>
  (_, response) => {
    response.writeHead(200).end(body);
  };

async function errorOf(work: Promise<unknown>): Promise<DataError> {
  const error: unknown = await work.then(
    () => new Error("expected a DataError, and nothing was thrown"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

describe("a download", () => {
  test("ends as one whole file, and reports its progress", async () => {
    answers = [good];
    const progress: number[] = [];
    await fetchIt({ onProgress: (bytes) => progress.push(bytes) });
    expect(await cached()).toEqual(content);
    expect(await files()).toEqual(["data.gz"]);
    expect(progress[0]).toBe(0);
    expect(progress.at(-1)).toBe(content.length);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  test("goes on where the connection broke", async () => {
    answers = [cutOff(20_000), good];
    await fetchIt();
    expect(await cached()).toEqual(content);
    expect(requests.map(({ range }) => range)).toEqual([undefined, "bytes=20000-"]);
  });

  test("goes on where an earlier call left off", async () => {
    answers = [cutOff(20_000)];
    const error = await errorOf(fetchIt({ attempts: 1 }));
    expect(error.message).toContain("broke off after 20000 of 50000 bytes");
    expect((await files()).map((name) => name.replace(/\d+-\w+/, "#"))).toEqual(["data.gz.#.part"]);
    answers = [good];
    requests = [];
    await fetchIt();
    expect(requests[0]?.range).toBe("bytes=20000-");
    expect(await cached()).toEqual(content);
    expect(await files()).toEqual(["data.gz"]);
  });

  test("goes on with the largest partial file of dead processes, and clears the others away", async () => {
    answers = [cutOff(10)];
    await errorOf(fetchIt({ attempts: 1 }));
    // Process numbers stay below 2^22 on Linux; so nobody is 2^30.
    await writeFile(`${target()}.${2 ** 30}-0000aaaa.part`, content.subarray(0, 30_000));
    await writeFile(`${target()}.${process.ppid}-0000aaaa.part`, content.subarray(0, 40_000));
    answers = [good];
    requests = [];
    await fetchIt();
    expect(requests[0]?.range).toBe("bytes=30000-");
    // The parent process is alive: what it writes is not touched.
    expect(await files()).toEqual(["data.gz", `data.gz.${process.ppid}-0000aaaa.part`]);
  });

  test("starts again at a server that knows no ranges, or that cannot continue", async () => {
    answers = [cutOff(20_000), sends(content)];
    await fetchIt();
    expect(await cached()).toEqual(content);
    await rm(target());
    requests = [];
    answers = [cutOff(20_000), status(416), good];
    await fetchIt();
    expect(requests.map(({ range }) => range)).toEqual([undefined, "bytes=20000-", undefined]);
    expect(await cached()).toEqual(content);
    await rm(target());
    requests = [];
    answers = [cutOff(20_000), status(206, { "content-range": "bytes 0-49999/50000" }), good];
    await fetchIt();
    expect(await cached()).toEqual(content);
  });

  test("starts again when what it continued was another file", async () => {
    answers = [cutOff(1)];
    await errorOf(fetchIt({ attempts: 1 }));
    const [part = ""] = await files();
    await writeFile(join(folder, "cache", part), new Uint8Array(30_000));
    answers = [good];
    requests = [];
    await fetchIt();
    expect(requests.map(({ range }) => range)).toEqual(["bytes=30000-", undefined]);
    expect(await cached()).toEqual(content);
  });

  test("follows redirects, and tries the next address", async () => {
    answers = [status(404), status(302, { location: "/elsewhere" }), good];
    await fetchIt({ urls: [`${origin()}/a`, `${origin()}/b`] });
    expect(requests.map(({ path }) => path)).toEqual(["/a", "/b", "/elsewhere"]);
    expect(await cached()).toEqual(content);
  });

  test("calls at once do not disturb each other", async () => {
    answers = [good];
    await Promise.all([fetchIt(), fetchIt(), fetchIt()]);
    expect(await cached()).toEqual(content);
    expect(await files()).toEqual(["data.gz"]);
  });
});

describe("a download that fails leaves no file at its path, and says why:", () => {
  test("status 404, at once", async () => {
    answers = [status(404)];
    const error = await errorOf(fetchIt());
    expect(error.message).toBe(`download: cannot fetch data.gz. ${origin()}/data.gz: answered 404.`);
    expect(requests.length).toBe(1);
    expect(await files()).toEqual([]);
  });

  test("status 503, after three attempts", async () => {
    answers = [status(503)];
    expect((await errorOf(fetchIt())).message).toContain("answered 503");
    expect(requests.length).toBe(3);
  });

  test("a wrong digest", async () => {
    answers = [sends(new Uint8Array(content.length))];
    const error = await errorOf(fetchIt());
    const found = createHash("md5").update(new Uint8Array(content.length)).digest("hex");
    expect(error.message).toContain(`has md5 ${found}; expected ${md5}`);
    expect(await files()).toEqual([]);
  });

  test("a wrong announced length, before anything is read", async () => {
    answers = [
      (_, response) => {
        response.writeHead(200, { "content-length": 10 ** 12 });
        response.write("x");
      },
    ];
    expect((await errorOf(fetchIt())).message).toContain("offers 1000000000000 bytes; expected 50000");
    expect(await files()).toEqual([]);
  });

  test("more bytes than expected, without end", async () => {
    answers = [
      (_, response) => {
        const more = (): void => {
          if (!response.destroyed) response.write(new Uint8Array(10_000), () => setImmediate(more));
        };
        response.writeHead(200);
        more();
      },
    ];
    expect((await errorOf(fetchIt())).message).toContain("sent more than 50000 bytes");
    expect(await files()).toEqual([]);
  });

  test("fewer bytes than expected, without an announced length", async () => {
    answers = [sends(content.subarray(0, 100))];
    expect((await errorOf(fetchIt({ attempts: 1 }))).message).toContain("ended after 100 of 50000 bytes");
  });

  test("silence", async () => {
    answers = [() => undefined];
    const error = await errorOf(fetchIt({ attempts: 1, idleTimeoutMs: 50 }));
    expect(error.message).toContain("no data for 0.05 s");
    answers = [
      (_, response) => {
        response.writeHead(200).write("x");
      },
    ];
    expect((await errorOf(fetchIt({ attempts: 1, idleTimeoutMs: 50 }))).message).toContain("broke off after 1 of");
  });

  test("redirects without end, or to no address", async () => {
    answers = [status(301, { location: "/again" })];
    expect((await errorOf(fetchIt())).message).toContain("redirects more than 5 times");
    answers = [status(301, { location: "file:///etc/passwd" })];
    expect((await errorOf(fetchIt())).message).toContain("redirects to file:///etc/passwd");
  });

  test("nobody there", async () => {
    const url = `${origin()}/data.gz`;
    const options: DownloadOptions = { urls: [url], path: target(), bytes: content.length, digest: `md5:${md5}` };
    server.close();
    expect((await errorOf(download(options))).message).toContain("ECONNREFUSED");
  });

  test("a folder that cannot be made", async () => {
    await writeFile(join(folder, "file"), "");
    const path = join(folder, "file", "data.gz");
    expect((await errorOf(fetchIt({ path }))).message).toContain(`cannot write to ${join(folder, "file")}`);
  });
});

describe("an aborted download", () => {
  test("stops with the signal's reason and keeps what it has", async () => {
    answers = [
      (_, response) => {
        response.writeHead(200, { "content-length": content.length });
        response.write(content.subarray(0, 1000));
      },
    ];
    const controller = new AbortController();
    const reason = new Error("enough");
    const work = fetchIt({
      signal: controller.signal,
      onProgress: (bytes) => {
        if (bytes > 0) controller.abort(reason);
      },
    });
    await expect(work).rejects.toBe(reason);
    answers = [good];
    requests = [];
    await fetchIt();
    expect(requests[0]?.range).toBe("bytes=1000-");
    await expect(fetchIt({ signal: controller.signal })).rejects.toBe(reason);
  });
});
