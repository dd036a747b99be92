import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requireBuilt, root } from "../built.ts";

const node = async (cwd: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)(process.execPath, args, { cwd, maxBuffer: 2 ** 24 })).stdout;
const npm = async (cwd: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)("npm", args, { cwd, maxBuffer: 2 ** 24, shell: process.platform === "win32" })).stdout;

const folder = mkdtempSync(join(tmpdir(), "downhill-pack-"));
const manifest: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
let tarball = "";
let files: string[] = [];

beforeAll(async () => {
  requireBuilt();
  const [packed] = JSON.parse(await npm(root, "pack", "--json", "--pack-destination", folder)) as [
    { filename: string; files: { path: string }[] },
  ];
  tarball = join(folder, packed.filename);
  files = packed.files.map(({ path }) => path);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed package", () => {
  test("holds the built library, its licence and its front page, and nothing else", () => {
    const allowed = /^(package\.json|README\.md|LICENSE|dist\/.*\.(js|d\.ts|html|css|svg|woff2))$/;
    expect(files.filter((path) => !allowed.test(path) || path.includes(".test."))).toEqual([]);
    expect(files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "dist/index.js", "dist/cli/main.js"]));
  });

  test("has nothing that publint reports", async () => {
    const { buffer, byteOffset, byteLength } = readFileSync(tarball);
    const tar = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
    const { messages } = await publint({ level: "warning", strict: true, pack: { tarball: tar } });
    expect(messages).toEqual([]);
  });

  test("resolves, with its types, for every kind of importer", async () => {
    const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
    // TypeScript's node10 resolution does not know exports; from CommonJS the ES module is what is meant to come.
    const expected = ["node10", "node16-cjs"];
    const report: { analysis: { entrypoints: object }; problems: Record<string, { resolutionKind?: string }[]> } =
      JSON.parse(await node(root, attw, tarball, "--profile", "esm-only", "--format", "json"));
    expect(Object.keys(report.analysis.entrypoints)).toEqual([
      ".",
      "./node",
      "./web",
      "./web/worker",
      "./testing",
      "./package.json",
    ]);
    const problems = Object.values(report.problems).flat();
    expect(problems.filter(({ resolutionKind = "" }) => !expected.includes(resolutionKind))).toEqual([]);
  });
});

describe("a project that installs it", () => {
  const project = mkdtempSync(join(folder, "project-"));

  beforeAll(async () => {
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "consumer", type: "module", private: true }));
    await npm(project, "install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", tarball);
  });

  test("imports each entry", async () => {
    writeFileSync(
      join(project, "entries.js"),
      `import * as main from "downhill";
      import * as node from "downhill/node";
      import * as web from "downhill/web";
      import * as testing from "downhill/testing";
      console.log(JSON.stringify([typeof main.fit, typeof node.mnist, typeof web.fit, Object.keys(testing).length > 0]));`,
    );
    expect(JSON.parse(await node(project, "entries.js"))).toEqual(["function", "function", "function", true]);
  });

  test.each(["NodeNext", "Bundler"])("type-checks it with %s resolution, its declarations included", async (kind) => {
    const types = join(root, "node_modules/@types");
    writeFileSync(
      join(project, "use.ts"),
      `import { nn, optim } from "downhill";
      import { mnist } from "downhill/node";
      import { webBackend } from "downhill/web";
      import * as testing from "downhill/testing";
      export const all: unknown[] = [nn.relu(), optim.sgd, mnist, webBackend, testing];
      // @ts-expect-error a layer is not a number
      export const wrong: number = nn.relu();`,
    );
    const module = kind === "Bundler" ? "ESNext" : "NodeNext";
    const options = ["--strict", "--noEmit", "--target", "ES2023", "--lib", "ES2023,DOM", "--typeRoots", types];
    options.push("--types", "node", "--module", module, "--moduleResolution", kind, "--skipLibCheck", "false");
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const output = await node(project, tsc, ...options, "use.ts").catch((error: { stdout: string }) => error.stdout);
    expect(output).toBe("");
  });

  test("runs the command", async () => {
    const command = join(project, "node_modules/downhill/dist/cli/main.js");
    expect((await node(project, command, "--version")).trim()).toBe(manifest.version);
    expect(await node(project, command, "--help")).toMatch(/downhill/);
  });
});
