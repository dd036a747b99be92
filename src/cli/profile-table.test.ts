import { describe, expect, test } from "vitest";
import type { Profile, ProfiledKernel } from "../train/profile/measure.ts";
import { drawProfile } from "./profile-picture.ts";
import { boundOf, phaseBars, profileHead, profileTable, shortLayer } from "./profile-table.ts";

function kernel(given: Partial<ProfiledKernel> & { readonly name: string; readonly ms: number }): ProfiledKernel {
  const [operations, bytes] = [given.operations ?? 0, given.bytes ?? 0];
  const [computeMs, transferMs] = [operations / 50e6, bytes / 20e6];
  return {
    kind: "map",
    phase: "forward",
    layer: "",
    operation: given.name,
    calls: 1,
    share: given.ms / 10,
    operations,
    directOperations: operations,
    bytes,
    computeMs,
    transferMs,
    limitMs: Math.max(computeMs, transferMs),
    limit: computeMs >= transferMs ? "compute" : "memory",
    ...given,
  };
}

const profile: Profile = {
  backend: "wasm",
  notes: [],
  parameters: 1000,
  steps: 20,
  threads: 1,
  ceilings: { threads: 1, separate: 40, products: 50, memory: 20, cache: 100 },
  stepMs: 10.2,
  kernelsMs: 10,
  waitMs: 0,
  otherMs: 0.1,
  tickMs: 1e-4,
  kernels: [
    kernel({
      name: "conv2d 43.products",
      ms: 6,
      operations: 270e6,
      bytes: 6e6,
      calls: 128,
      layer: "sequential.3 (conv2d)",
    }),
    kernel({
      name: "sum 9",
      ms: 1,
      operations: 1e6,
      phase: "backward",
      layer: "encoder.layers.0.self_attn (multiHeadAttention)",
    }),
    kernel({ name: "state.params.0.weight and 7 more", ms: 3, bytes: 57e6, phase: "update" }),
  ],
};
const wide = { by: "kernel", top: 0, columns: 80, ascii: false } as const;

describe("the table", () => {
  test("is 80 columns wide and sorted by time, with shares of the ceilings and what binds", () => {
    expect(profileTable(profile, wide)).toEqual([
      "kernel              layer       calls     ms share  GF/s    %  GB/s    % bound",
      "conv2d 43.products  3 conv2d      128  6.000 60.0%  45.0  90%   1.0   5% compute",
      "….weight and 7 more                 1  3.000 30.0%     -    -  19.0  95% memory",
      "sum 9               ….self_attn     1  1.000 10.0%   1.0   2%     -    - neither",
    ]);
  });

  test("longer names where there is room; fewer rows where asked for, and how many are left", () => {
    const [head = "", ...rows] = profileTable(profile, { ...wide, columns: 140, top: 1 });
    expect(head.length).toBeLessThanOrEqual(140);
    expect(rows[1]).toBe("and 2 more: 4.000 ms, 40.0%; --top 0 lists all");
    expect(profileTable(profile, { ...wide, columns: 140 }).join("\n")).toContain(" layers.0.self_attn ");
  });

  test("plain characters where asked for", () => {
    const text = [
      ...profileTable(profile, { ...wide, ascii: true }),
      ...phaseBars(profile, { ascii: true }),
      ...profileHead(profile),
    ];
    expect([...text.join("")].filter((letter) => letter > "~")).toEqual([]);
    expect(text.filter((line) => line.length > 80)).toEqual([]);
  });
});

test("a bar for each phase: dark to what the ceilings allow", () => {
  const bars = phaseBars(profile, { ascii: false });
  expect(bars.map((line) => line.trim().split(" ")[0])).toEqual(["forward", "backward", "update", "calls", "█"]);
  const [forward = ""] = bars;
  expect([forward.match(/█/g)?.length, forward.match(/░/g)?.length]).toEqual([26, 3]);
  expect(forward).toMatch(/6\.000 ms {2}59%$/);
});

test("the head sets the sum of the kernels beside the plain step", () => {
  expect(profileHead(profile)).toEqual([
    "step 10.20 ms, the fastest of 20",
    "its parts, each at its fastest, 10.10 ms (-1.0%)",
    "at the ceilings 8.270 ms: 50.0 GF/s in products, 40.0 elsewhere,",
    "20.0 GB/s through memory, 100 in the cache",
  ]);
});

test.each([
  ["sequential.3 (conv2d)", "3 conv2d"],
  ["sequential.0 (conv2d), sequential.1 (relu)", "0 conv2d, 1 relu"],
  ["linear", "linear"],
  ["", ""],
])("%j is shortened to %j", (layer, short) => {
  expect(shortLayer(layer)).toBe(short);
});

test("a time of which the ceilings explain less than a quarter is bound by neither", () => {
  const row = { name: "", layer: "", phase: "", kernels: 1, calls: 1, share: 1, operations: 1, bytes: 1 };
  const limits = { computeMs: 1, transferMs: 0.5, limitMs: 1, limit: "compute" } as const;
  expect(boundOf({ ...row, ...limits, ms: 3.9 })).toBe("compute");
  expect(boundOf({ ...row, ...limits, ms: 4.1 })).toBe("neither");
});

test("the picture has each kernel in order, a bar for each, and escapes what it shows", () => {
  const svg = drawProfile(profile, "a < b");
  const titles = [...svg.matchAll(/<title>(.*?)<\/title>/g)].map(([, text = ""]) => text);
  expect(titles[0]).toBe("a &lt; b");
  // Phases, layers and kernels.
  expect(titles).toHaveLength(1 + 9);
  expect(titles.at(-3)).toBe("conv2d 43.products in sequential.3 (conv2d), 45.0 GF/s, 90% of its ceiling: 6.000 ms");
  expect(svg.match(/ms · /g)).toHaveLength(3);
});
