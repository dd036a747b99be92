import { beforeAll, describe, expect, test } from "vitest";
import { table } from "../../src/optim/table.ts";
import { requireBuilt } from "../built.ts";
import { downhill } from "./command.ts";

beforeAll(requireBuilt);

const tooWide = (text: string): string[] => text.split("\n").filter((line) => line.length > 80 && line.includes(" "));

describe("downhill optimizers", () => {
  test("lists every row of the table at 80 columns", async () => {
    const { stdout, stderr, code } = await downhill(".", "optimizers");
    expect([stderr, code]).toEqual(["", 0]);
    const named = stdout.split("\n").map((line) => /^ {2}(\w+) /.exec(line)?.[1]);
    expect(table.filter(({ name }) => !named.includes(name)).map(({ name }) => name)).toEqual([]);
    expect(tooWide(stdout)).toEqual([]);
  });

  test("shows one with whose equation and numbers are whose", async () => {
    const { stdout, code } = await downhill(".", "optimizers", "adagrad");
    expect(code).toBe(0);
    expect(stdout).toMatch(/keras +x \+= -a g \/ sqrt\(c \+ eps\)/);
    expect(stdout).toContain("--initial-accumulator");
    expect(stdout).toContain("(0; 0.1 like optax; 0.1 like keras)");
    expect(stdout).toContain("downhill train mnist --optimizer adagrad --lr 0.01");
    expect(tooWide(stdout)).toEqual([]);
  });

  test("prints JSON", async () => {
    const { stdout } = await downhill(".", "optimizers", "adam", "--json");
    expect(JSON.parse(stdout)).toMatchObject([{ name: "adam", role: "rule", hypers: { beta1: { default: 0.9 } } }]);
  });

  test("says which name is near a wrong one", async () => {
    const { stdout, stderr, code } = await downhill(".", "optimizers", "adamm");
    expect([stdout, code]).toEqual(["", 2]);
    expect(stderr).toContain('optimizers: got "adamm"');
    expect(stderr).toContain("Did you mean adam?");
  });
});
