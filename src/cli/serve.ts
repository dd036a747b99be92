import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, resolve } from "node:path";
import { Command } from "commander";
import { DataError, DownhillError, OptionError } from "../core/errors.ts";
import { HostArray } from "../core/host-array.ts";
import type { PictureForm } from "../data/picture-form.ts";
import { decodeRows } from "../data/table/decode.ts";
import { load } from "../node/load-run.ts";
import { decodePicture } from "../node/pictures/decode.ts";
import { readRows } from "../node/tables/rows.ts";
import { formOf } from "../train/form-of.ts";
import type { TrainedModel } from "../train/trained-model.ts";
import { PAGE_CSS, PAGE_POLICY, pageHtml, pageScript } from "./page-html.ts";
import type { Screen } from "./screen.ts";

const MAX_BODY_BYTES = 64 << 20;
const PORT = 8420;

export function serveCommand(screen: Screen): Command {
  return new Command("serve")
    .description("Answer over HTTP what a saved run takes pictures, or rows, for; with a page to drop a picture on.")
    .argument("<run>", "a run's folder, or its model.safetensors")
    .option("--port <n>", "0 takes a free one", parsePort, PORT)
    .option("--host <address>", "who may reach it: this machine alone, or 0.0.0.0 for all", "127.0.0.1")
    .action(async (run: string, { port = PORT, host = "127.0.0.1" }: { port?: number; host?: string }) => {
      const { server, url, closed } = await serve(run, { port, host });
      screen.line(`Serving ${run} at ${url}`);
      screen.line(`  POST ${url}predict  a picture's bytes, or rows as CSV or JSON lines; answers JSON`);
      screen.line("Ctrl-C ends it.");
      const stop = (): void => void server.close();
      process.once("SIGINT", stop);
      process.once("SIGTERM", stop);
      await closed;
    });
}

function parsePort(text: string): number {
  const port = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(port) && port >= 0 && port < 65_536) return port;
  throw new OptionError(`--port: got "${text}"; expected a whole number from 0 to 65535.`, "--port");
}

export type Served = { readonly server: Server; readonly url: string; readonly closed: Promise<void> };

/** A request that is answered by why not. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Serves a run until the server is closed. Throws OptionError where the address is taken or the run was trained on a text. */
export async function serve(run: string, at: { readonly port: number; readonly host: string }): Promise<Served> {
  const model = await load(run);
  const predict = predictorOf(model, run);
  const name = basename(resolve(run));
  const about = { run: name, classes: model.classes ?? null, takes: model.table === undefined ? "picture" : "rows" };
  const server = createServer((request, response) => {
    answer(request, at.host, about, predict).then(
      ({ type, body }) => send(response, 200, type, body),
      (error: unknown) => {
        const status = error instanceof Refusal ? error.status : error instanceof DownhillError ? 422 : 500;
        const message = error instanceof Error ? error.message : String(error);
        send(response, status, "application/json", JSON.stringify({ error: message }));
      },
    );
  });
  const closed = new Promise<void>((done) => {
    server.once("close", () => void model.close().then(done));
  });
  await new Promise<void>((done, fail) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      void model.close();
      const why =
        error.code === "EADDRINUSE"
          ? "is taken; expected a free one, or 0 to take any"
          : `cannot be used: ${error.message}`;
      fail(new OptionError(`--port: ${at.host}:${at.port} ${why}.`, "--port"));
    });
    server.listen(at.port, at.host, done);
  });
  const { port, family, address } = server.address() as AddressInfo;
  return { server, url: `http://${family === "IPv6" ? `[${address}]` : address}:${port}/`, closed };
}

type Body = { readonly bytes: Uint8Array; readonly isJson: boolean };
type Predict = (body: Body) => Promise<unknown>;

function predictorOf(model: TrainedModel, run: string): Predict {
  const { table } = model;
  if (model.tokenizer !== undefined)
    throw new OptionError(`serve: ${run} was trained on a text; expected downhill generate ${run}.`, "run");
  if (table !== undefined)
    return async ({ bytes }) => {
      const { inputs } = await readRows({ text: new TextDecoder().decode(bytes), name: "the request" }, table);
      return decodeRows(await model.outputs(inputs), table);
    };
  const form = formOf(model, run);
  const classes = model.classes as readonly string[];
  const pictures = model as unknown as TrainedModel<HostArray>;
  return async ({ bytes, isJson }) => {
    if (isJson)
      return (await pictures.predict(readInputs(bytes, form))).map(({ label, probability, probabilities }) => ({
        label,
        probability,
        probabilities: [...probabilities],
      }));
    const [found] = await pictures.predict(await decodePicture(bytes, form, "the request"));
    return classes
      .map((label, i) => ({ label, probability: found.probabilities[i] ?? Number.NaN }))
      .sort((a, b) => b.probability - a.probability);
  };
}

/** Pictures as numbers from 0 to 255: `{ "inputs": [[[...]]] }`, [N, C, H, W]. */
function readInputs(bytes: Uint8Array, { channels, height, width }: PictureForm): HostArray {
  const expected = `{"inputs": [N][${channels}][${height}][${width}]} of whole numbers from 0 to 255`;
  const refuse = (got: string): never => {
    throw new DataError(`predict: got ${got}; expected ${expected}.`, "inputs");
  };
  let given: unknown;
  try {
    given = (JSON.parse(new TextDecoder().decode(bytes)) as { readonly inputs?: unknown } | null)?.inputs;
  } catch {
    return refuse("a body that is no JSON");
  }
  if (!Array.isArray(given) || given.length === 0) return refuse("no inputs");
  const shape = [given.length, channels, height, width];
  if (!hasShape(given, shape)) return refuse("inputs of another shape");
  const numbers: unknown[] = given.flat(3);
  const odd = numbers.find((x) => !(Number.isInteger(x) && (x as number) >= 0 && (x as number) <= 255));
  if (odd !== undefined) return refuse(JSON.stringify(odd));
  return new HostArray("u8", shape, Uint8Array.from(numbers as number[]));
}

const PAGE: { readonly [path: string]: { readonly type: string; readonly body: () => string } } = {
  "/": { type: "text/html", body: () => pageHtml(["page.js"]) },
  "/page.css": { type: "text/css", body: () => PAGE_CSS },
  "/page.js": { type: "text/javascript", body: () => pageScript("serve") },
};

function hasShape(value: unknown, [size, ...rest]: readonly number[]): boolean {
  if (size === undefined) return !Array.isArray(value);
  return Array.isArray(value) && value.length === size && value.every((each) => hasShape(each, rest));
}

async function answer(
  request: IncomingMessage,
  host: string,
  about: object,
  predict: Predict,
): Promise<{ readonly type: string; readonly body: string }> {
  checkOrigin(request, host);
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const method = request.method === "HEAD" ? "GET" : request.method;
  const json = (value: unknown) => ({ type: "application/json", body: JSON.stringify(value) });
  const file = method === "GET" ? PAGE[pathname] : undefined;
  if (file !== undefined) return { type: `${file.type}; charset=utf-8`, body: file.body() };
  if (method === "GET" && pathname === "/healthz") return json({ ok: true });
  if (method === "GET" && pathname === "/model") return json(about);
  if (pathname === "/predict") {
    if (method !== "POST") throw new Refusal(405, `got ${method}; expected POST with a picture's bytes, or rows.`);
    const body = await bodyOf(request);
    if (body.length === 0) throw new Refusal(400, "got an empty body; expected a picture's bytes, or rows.");
    const isJson = (request.headers["content-type"] ?? "").startsWith("application/json");
    return json({ predictions: await predict({ bytes: body, isJson }) });
  }
  throw new Refusal(404, `got ${pathname}; expected /, /model, /healthz or /predict.`);
}

/** Keeps other sites' pages off: a name of theirs that points here, and requests that they make. */
function checkOrigin({ headers }: IncomingMessage, host: string): void {
  const name = (headers.host ?? "").replace(/:\d+$/, "");
  const own = ["localhost", "127.0.0.1", "[::1]", host];
  if (host !== "0.0.0.0" && host !== "::" && !own.includes(name))
    throw new Refusal(403, `got the host ${name}; expected ${own[0]} or ${host}.`);
  if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`)
    throw new Refusal(403, `got a request of ${headers.origin}; expected this page's own.`);
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Refusal(413, `got more than ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": `${PAGE_POLICY}; frame-ancestors 'none'`,
    ...(status === 413 ? { connection: "close" } : {}),
  });
  response.end(body);
}
