import { afterEach, expect, test, vi } from "vitest";
import { Screen } from "./screen.ts";

const ESCAPE = String.fromCharCode(27);

/** A stream that keeps what is written. */
function stream(isTTY: boolean): { out: NodeJS.WriteStream; text: () => string } {
  let text = "";
  const write = (chunk: string): boolean => {
    text += chunk;
    return true;
  };
  const out = { isTTY, columns: 80, write };
  return { out: out as unknown as NodeJS.WriteStream, text: () => text };
}

afterEach(() => vi.unstubAllEnvs());

test("on a terminal the bottom line is drawn over and lines go above it", () => {
  vi.stubEnv("NO_COLOR", undefined);
  vi.stubEnv("TERM", "xterm");
  const { out, text } = stream(true);
  const screen = new Screen(out);
  screen.draw("50 %");
  screen.line(screen.bold("row"));
  screen.draw("60 %");
  screen.erase();
  const clear = `\r${ESCAPE}[2K`;
  expect(text()).toBe(`50 %${clear}${ESCAPE}[1mrow${ESCAPE}[22m\n50 %${clear}60 %${clear}`);
});

test("NO_COLOR takes the colours and leaves the bottom line", () => {
  vi.stubEnv("NO_COLOR", "1");
  vi.stubEnv("TERM", "xterm");
  const { out, text } = stream(true);
  const screen = new Screen(out);
  screen.line(screen.bold("row") + screen.dim("note"));
  screen.draw("50 %");
  expect(text()).toBe("rownote\n50 %");
});

test("a pipe gets plain lines alone", () => {
  vi.stubEnv("NO_COLOR", undefined);
  const { out, text } = stream(false);
  const screen = new Screen(out);
  screen.draw("50 %");
  screen.line(screen.bold("row"));
  screen.erase();
  expect(text()).toBe("row\n");
});
