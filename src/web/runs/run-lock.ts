import { OptionError } from "../../core/errors.ts";

/** A page that was just closed or reloaded may hold its lock a little longer. */
const WAIT_MS = 1000;

/**
 * Holds the run for this page until the answer is called or the page is gone, however it goes.
 *
 * Errors: OptionError where another page, worker or training holds it, or where the browser has no locks.
 */
export async function lockRun(place: string): Promise<() => void> {
  const { locks } = globalThis.navigator;
  if (locks === undefined)
    throw new OptionError(
      `run: ${place} cannot be locked against a second page, as this one is no secure context (https, or http from localhost); expected one.`,
      "run",
    );
  return new Promise((resolve, reject) => {
    const hold = (): Promise<void> => new Promise((release) => resolve(release));
    locks.request(`downhill-run:${place}`, { signal: AbortSignal.timeout(WAIT_MS) }, hold).catch((error: unknown) => {
      const isTaken = (error as { name?: unknown } | null)?.name === "TimeoutError";
      reject(
        isTaken
          ? new OptionError(
              `run: ${place} is being trained by another page, worker or call; expected one at a time. Hint: wait for it, close it, or take another name.`,
              "run",
            )
          : error,
      );
    });
  });
}
