import { measureCeilings } from "../backends/wasm/ceilings.ts";
import { type ProfileFunction, profileWith } from "../train/profile/profile.ts";
import { defaultThreads, type NodeBackendOptions, nodeBackend } from "./default-backend.ts";
import { spawnThread } from "./threads.ts";

/** `profile` on worker threads. */
export const profile: ProfileFunction<NodeBackendOptions> = profileWith(
  nodeBackend,
  ({ threads = defaultThreads(), mode, native }: NodeBackendOptions, footprint: number) =>
    measureCeilings({
      threads,
      fused: mode === "fast" || (mode === undefined && native === "on"),
      footprint,
      spawn: spawnThread,
    }),
);
