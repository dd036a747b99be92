/** Lets timers, signals and redraws have their turn; at most every few milliseconds, since a timer costs about one. */
const EVERY_MS = 16;
let last = 0;

export async function yieldToHost(): Promise<void> {
  if (performance.now() - last < EVERY_MS) return;
  await new Promise<void>((resume) => {
    setTimeout(resume, 0);
  });
  last = performance.now();
}
