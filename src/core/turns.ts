/** One call after another, in the order they were asked for: a backend runs one at a time. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  take<T>(call: () => Promise<T>): Promise<T> {
    const mine = this.last.then(call, call);
    this.last = mine.catch(() => undefined);
    return mine;
  }
}
