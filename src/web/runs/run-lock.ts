import { OptionError } from "../../core/errors.ts";

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
    locks
      .request(`downhill-run:${place}`, { ifAvailable: true }, (lock) => {
        if (lock === null)
          throw new OptionError(
            `run: ${place} is being trained by another page, worker or call; expected one at a time. Hint: wait for it, close it, or take another name.`,
            "run",
          );
        return new Promise<void>((release) => resolve(release));
      })
      .catch(reject);
  });
}
