import { expect, test } from "vitest";
import { cacheDir } from "./cache-dir.ts";

test.each([
  ["linux", {}, "/home/ada/.cache/downhill"],
  ["linux", { XDG_CACHE_HOME: "/var/cache/ada" }, "/var/cache/ada/downhill"],
  ["linux", { XDG_CACHE_HOME: "relative" }, "/home/ada/.cache/downhill"],
  ["linux", { XDG_CACHE_HOME: "" }, "/home/ada/.cache/downhill"],
  ["freebsd", {}, "/home/ada/.cache/downhill"],
  ["darwin", { XDG_CACHE_HOME: "/x" }, "/home/ada/Library/Caches/downhill"],
  ["linux", { DOWNHILL_CACHE: "/scratch", XDG_CACHE_HOME: "/x" }, "/scratch"],
] as const)("on %s with %o: %s", (platform, env, expected) => {
  expect(cacheDir(env, platform, "/home/ada")).toBe(expected);
});

test("on Windows", () => {
  const home = "C:\\Users\\ada";
  expect(cacheDir({}, "win32", home)).toBe("C:\\Users\\ada\\AppData\\Local\\downhill\\Cache");
  expect(cacheDir({ LOCALAPPDATA: "D:\\Local" }, "win32", home)).toBe("D:\\Local\\downhill\\Cache");
});
