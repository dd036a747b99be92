import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import ts from "typescript";

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".ts": "text/javascript",
};

/** Its icon is empty too: a browser would ask for one. */
const EMPTY_PAGE = '<!doctype html><title>test</title><link rel="icon" href="data:,">';

export type ServeOptions = {
  /** Folders by the first part of the address. */
  readonly folders: Readonly<Record<string, string>>;
  /** Sends the headers of cross-origin isolation. */
  readonly isolated: boolean;
  readonly policy?: string;
};

export type Server = { readonly address: string; close(): void };

/** A web server on a free port: an empty page at `/`, files of the folders, TypeScript with its types stripped. */
export async function serve({ folders, isolated, policy }: ServeOptions): Promise<Server> {
  const headers: Record<string, string> = {
    ...(isolated && {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    }),
    ...(policy !== undefined && { "Content-Security-Policy": policy }),
  };
  const read = async (path: string): Promise<Uint8Array | string> => {
    if (path === "/") return EMPTY_PAGE;
    const [, first = "", ...rest] = normalize(decodeURIComponent(path)).split("/");
    const bytes = await readFile(join(folders[first] ?? "/nowhere", ...rest));
    if (extname(path) !== ".ts") return bytes;
    const compilerOptions = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext };
    return ts.transpileModule(bytes.toString(), { compilerOptions }).outputText;
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://localhost").pathname;
    const type = TYPES[path === "/" ? ".html" : extname(path)] ?? "application/octet-stream";
    read(path).then(
      (body) => response.writeHead(200, { ...headers, "Content-Type": type }).end(body),
      () => response.writeHead(404, headers).end("not found"),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
