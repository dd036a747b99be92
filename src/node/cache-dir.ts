import { homedir } from "node:os";
import { posix, win32 } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Folder for files that can be fetched again: `$DOWNHILL_CACHE` if set, else `downhill` in the system's cache folder:
 * `$XDG_CACHE_HOME` or `~/.cache` on Linux and the like, `~/Library/Caches` on macOS, `%LOCALAPPDATA%` on Windows.
 *
 * A relative `$XDG_CACHE_HOME` is ignored, as the XDG Base Directory Specification asks.
 */
export function cacheDir(
  env: Environment = process.env,
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  if (env.DOWNHILL_CACHE) return env.DOWNHILL_CACHE;
  if (platform === "win32")
    return win32.join(env.LOCALAPPDATA || win32.join(home, "AppData", "Local"), "downhill", "Cache");
  if (platform === "darwin") return posix.join(home, "Library", "Caches", "downhill");
  const xdg = env.XDG_CACHE_HOME;
  return posix.join(xdg && posix.isAbsolute(xdg) ? xdg : posix.join(home, ".cache"), "downhill");
}
