import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DataError, OptionError } from "../core/errors.ts";
import { isMissing, reasonOf } from "./file-store.ts";

const LOCK_FILE = "lock";

/** Who works on a run: enough to tell later whether that process is still there. */
type Owner = { readonly pid: number; readonly host: string; readonly started: string | null };

/** Runs that this very process works on. */
const own = new Set<string>();

/** A process number is used again after a while; with the time of its start it is not. Known on Linux alone. */
function startOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name stands in parentheses and may hold anything; field 22 is the start, in ticks since the machine's.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return fields[19] === undefined ? null : `${boot} ${fields[19]}`;
  } catch {
    return null;
  }
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  const now = startOf(pid);
  return started === null || now === null || now === started;
}

function ownerIn(text: string): Owner | undefined {
  try {
    const { pid, host, started } = JSON.parse(text) as Partial<Owner>;
    if (Number.isSafeInteger(pid) && (pid as number) > 0 && typeof host === "string")
      return { pid: pid as number, host, started: typeof started === "string" ? started : null };
  } catch {
    // Torn by a power cut: nobody writes a lock in parts.
  }
  return undefined;
}

/**
 * Marks a run's folder as being worked on; a lock whose process is gone is taken over. Answers what gives it free.
 *
 * Throws OptionError where another process works on it, or one of another machine may.
 */
export function lockRun(folder: string): () => void {
  const file = join(folder, LOCK_FILE);
  const text = JSON.stringify({ pid: process.pid, host: hostname(), started: startOf(process.pid) } satisfies Owner);
  // Hidden and temporary by its name: what a kill leaves of it is swept when the run goes on.
  const mine = join(folder, `.${LOCK_FILE}.${process.pid}.tmp`);
  for (;;) {
    try {
      writeFileSync(mine, `${text}\n`);
      place(mine, file, text);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST")
        throw new DataError(`run folder: cannot write ${file}: ${reasonOf(error)}.`, file);
    } finally {
      rmSync(mine, { force: true });
    }
    removeStale(folder, file);
  }
  own.add(file);
  return () => {
    own.delete(file);
    rmSync(file, { force: true });
  };
}

/** A link is there with its contents or not at all, and fails where the name is taken. Some file systems have none. */
function place(mine: string, file: string, text: string): void {
  try {
    linkSync(mine, file);
  } catch (error) {
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"].includes((error as NodeJS.ErrnoException).code ?? ""))
      throw error;
    writeFileSync(file, `${text}\n`, { flag: "wx" });
  }
}

/** Removes a lock that nobody holds; throws where somebody does. */
function removeStale(folder: string, file: string): void {
  const found = textOf(file);
  if (found === undefined) return;
  const owner = ownerIn(found);
  if (owner !== undefined) {
    if (owner.host !== hostname())
      throw new OptionError(
        `run folder: ${folder} is being worked on by process ${owner.pid} of ${owner.host}; expected a run that nobody works on. If that process is gone, remove ${file}.`,
        folder,
      );
    if (owner.pid === process.pid ? own.has(file) : isAlive(owner))
      throw new OptionError(
        `run folder: ${folder} is being worked on by process ${owner.pid}; expected a run that nobody works on. Wait for it, or end it with Ctrl-C or kill ${owner.pid}.`,
        folder,
      );
  }
  // Of several processes that find it stale, one moves it away; a fresh lock that was moved by mistake is put back.
  const away = join(folder, `.${LOCK_FILE}.stale.${process.pid}.tmp`);
  try {
    renameSync(file, away);
    if (textOf(away) !== found) linkSync(away, file);
  } catch (error) {
    if (!isMissing(error) && (error as NodeJS.ErrnoException).code !== "EEXIST")
      throw new DataError(`run folder: cannot remove ${file}: ${reasonOf(error)}.`, file);
  } finally {
    rmSync(away, { force: true });
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new DataError(`run folder: cannot read ${file}: ${reasonOf(error)}.`, file);
  }
}
