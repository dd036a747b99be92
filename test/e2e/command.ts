import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { root } from "../built.ts";

export type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type Running = {
  readonly process: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** So far. */
  stdout(): string;
  /** Resolves when the standard output holds this. */
  printed(text: RegExp): Promise<void>;
};

/** Starts `downhill` in a folder, its output piped. */
export function start(cwd: string, ...args: readonly string[]): Running {
  const child = spawn(process.execPath, [join(root, "dist/cli/main.js"), ...args], {
    cwd,
    env: { ...process.env, DOWNHILL_OFFLINE: "1", NO_COLOR: "" },
  });
  let stdout = "";
  let stderr = "";
  const listeners = new Set<() => void>();
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
    for (const listener of listeners) listener();
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const outcome = new Promise<Outcome>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
  const printed = (text: RegExp): Promise<void> =>
    new Promise((done, fail) => {
      const look = (): void => {
        if (!text.test(stdout)) return;
        listeners.delete(look);
        done();
      };
      listeners.add(look);
      outcome.then(() => fail(new Error(`ended without ${text}: ${stdout}${stderr}`)), fail);
      look();
    });
  return { process: child, outcome, printed, stdout: () => stdout };
}

export function downhill(cwd: string, ...args: readonly string[]): Promise<Outcome> {
  return start(cwd, ...args).outcome;
}
