#!/usr/bin/env node
import * as modules from "node:module";

// From Node 22.1 on, what V8 made of the sources is kept in the system's temporary folder: half the time to load them.
(modules as { enableCompileCache?: () => unknown }).enableCompileCache?.();
const { run } = await import("./run.ts");
await run();
