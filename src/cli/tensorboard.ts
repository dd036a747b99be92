import { basename, join } from "node:path";
import type { HostArray } from "../core/host-array.ts";
import type { RunFolder } from "../node/run-folder.ts";
import { tensorboard } from "../node/tensorboard/callback.ts";
import type { Recipe } from "./recipe.ts";
import type { Screen } from "./screen.ts";
import type { Session } from "./session.ts";

/** The folder of a run's events: by its name, so that TensorBoard shows runs of one folder side by side. */
export function eventFolder(folder: string, run: string): string {
  return join(folder, basename(run));
}

/** A session that also writes events for TensorBoard, where the recipe says so; not of a run that only repeats another. */
export function withTensorboard(screen: Screen, { tensorboard: folder }: Recipe, session: Session): Session {
  if (folder === undefined || session.repeats !== undefined) return session;
  let sink: RunFolder | undefined;
  let pictures: HostArray | undefined;
  const place = (): string => {
    const found = eventFolder(folder, sink?.place ?? "");
    screen.line(`Events for TensorBoard in ${found}`);
    return found;
  };
  return {
    ...session,
    callbacks: [...session.callbacks, tensorboard(place, { pictures: () => pictures })],
    show(given) {
      const [, channels] = given.shape;
      const isGrey = given.shape.length === 3;
      if (isGrey || (given.shape.length === 4 && (channels === 1 || channels === 3))) pictures = given;
    },
    open(config) {
      sink = session.open(config);
      return sink;
    },
  };
}
