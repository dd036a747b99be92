import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A process that ended or answered what it should not. */
export class ChildError extends Error {}

/** A contender's process: lines of JSON in and out, one answer for each request. */
export class Child {
  /** @type {{ resolve: (answer: any) => void, reject: (error: Error) => void }[]} */
  #waiting = [];
  #errors = "";
  /** @type {Error | undefined} */
  #ended;
  #process;
  /** The first line, with `fromStart`: milliseconds from the start of the process to its arrival. @type {Promise<any>} */
  hello;

  /** @param {readonly string[]} command @param {NodeJS.ProcessEnv} [env] */
  constructor([file = "", ...args], env = process.env) {
    const started = performance.now();
    this.#process = spawn(file, args, { env, stdio: ["pipe", "pipe", "pipe"] });
    this.#process.stdin.on("error", () => {});
    this.#process.stderr.on("data", (/** @type {Buffer} */ data) => {
      this.#errors = (this.#errors + data).slice(-4000);
    });
    this.#process.on("error", (error) => this.#end(error));
    this.#process.on("close", (code, signal) => {
      const last =
        this.#errors
          .trim()
          .split("\n")
          .findLast((line) => /\w*(Error|error|panic)/.test(line)) ?? this.#errors.trim();
      this.#end(new ChildError(`the process ended (${signal ?? code}): ${last.trim() || "without a message"}`));
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const next = this.#waiting.shift();
      try {
        next?.resolve(JSON.parse(line));
      } catch {
        next?.reject(new ChildError(`got "${line}"; expected an answer in JSON`));
      }
    });
    this.hello = this.#answer().then((answer) => ({ ...answer, fromStart: performance.now() - started }));
    // Seen by whoever awaits it; until then a failure must not end this process.
    this.hello.catch(() => {});
  }

  /** @param {Error} error */
  #end(error) {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
  }

  /** @returns {Promise<any>} */
  #answer() {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** @param {object} message @param {number} [limitMs] */
  ask(message, limitMs) {
    const answer = this.#answer();
    this.#process.stdin.write(`${JSON.stringify(message)}\n`);
    return limitMs === undefined ? answer : this.within(answer, limitMs);
  }

  /** The answer, or an error and the end of the process where it takes too long. @param {Promise<any>} answer @param {number} limitMs */
  async within(answer, limitMs) {
    const late = setTimeout(() => {
      this.#end(new ChildError(`stopped after ${Math.round(limitMs / 1000)} s without an answer`));
      this.#process.kill("SIGKILL");
    }, limitMs);
    try {
      return await answer;
    } finally {
      clearTimeout(late);
    }
  }

  /** Ends the process and waits until it is gone. */
  async close() {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null || this.#process.pid === undefined) return;
    const gone = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.stdin.end();
    const late = setTimeout(() => this.#process.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(late);
  }
}
