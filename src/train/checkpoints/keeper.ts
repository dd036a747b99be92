import { DataError } from "../../core/errors.ts";
import type { CheckpointStore } from "../run-sink.ts";
import { type Checkpoint, checkpointName, stepOfName } from "./checkpoint.ts";
import { decodeCheckpoint, encodeCheckpoint } from "./checkpoint-file.ts";
import { type CheckpointPolicy, type Kept, removable } from "./policy.ts";

/** The checkpoints of a run: writes, finds and removes them as the policy says. */
export class Keeper {
  readonly policy: CheckpointPolicy;
  private readonly store: CheckpointStore;
  private readonly kept = new Map<string, Kept>();
  private readonly damaged: string[] = [];
  private writtenAt = performance.now();

  constructor(store: CheckpointStore, policy: CheckpointPolicy) {
    this.store = store;
    this.policy = policy;
  }

  get minutesSinceLast(): number {
    return (performance.now() - this.writtenAt) / 60_000;
  }

  /** Writes one, then removes those that need not stay. */
  async write(checkpoint: Checkpoint): Promise<void> {
    const name = checkpointName(checkpoint.step);
    await this.store.write(name, encodeCheckpoint(checkpoint));
    this.note(name, checkpoint);
    this.writtenAt = performance.now();
    await this.tidy();
  }

  /** Removes what need not stay: damaged ones too, which training writes again. */
  async tidy(): Promise<void> {
    for (const name of [...this.damaged.splice(0), ...removable(this.policy, [...this.kept.values()])]) {
      await this.store.remove(name);
      this.kept.delete(name);
    }
  }

  /** The newest that is whole, and what is wrong with others. Those that are whole count for what is kept from now on. */
  async newest(): Promise<{ checkpoint: Checkpoint | undefined; damaged: readonly string[] }> {
    const damaged: string[] = [];
    let newest: Checkpoint | undefined;
    for (const name of await namesOf(this.store)) {
      const read = await readCheckpoint(this.store, name);
      if (typeof read === "string") {
        damaged.push(read);
        this.damaged.push(name);
        continue;
      }
      newest ??= read;
      this.note(name, read);
    }
    return { checkpoint: newest, damaged };
  }

  /** What was written after a step that training has gone back to. */
  async removeAfter(step: number): Promise<void> {
    for (const kept of [...this.kept.values()])
      if (kept.step > step) {
        await this.store.remove(kept.name);
        this.kept.delete(kept.name);
      }
  }

  private note(name: string, { step, metrics, pinned }: Checkpoint): void {
    this.kept.set(name, { name, step, metrics: metrics ?? undefined, pinned });
  }
}

/** Names of checkpoints, the newest first; other files are let be. */
export async function namesOf(store: CheckpointStore): Promise<string[]> {
  const names = (await store.list()).filter((name) => stepOfName(name) !== undefined);
  return names.sort((a, b) => (stepOfName(b) as number) - (stepOfName(a) as number));
}

/** A checkpoint, or in words what is wrong with it. */
export async function readCheckpoint(store: CheckpointStore, name: string): Promise<Checkpoint | string> {
  try {
    return decodeCheckpoint(await store.read(name), name);
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return error.message;
  }
}
