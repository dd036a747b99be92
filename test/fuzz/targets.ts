import { readFileSync } from "node:fs";
import { wasmBackend } from "../../src/backends/wasm/index.ts";
import { parseConfig } from "../../src/cli/settings.ts";
import { joinBytes } from "../../src/core/bytes.ts";
import { OptionError } from "../../src/core/errors.ts";
import { array, HostArray } from "../../src/core/host-array.ts";
import { dataset } from "../../src/data/dataset.ts";
import { readTextTable } from "../../src/data/table/text-tables.ts";
import { decodeCifar } from "../../src/io/cifar.ts";
import { decodeCsv } from "../../src/io/csv.ts";
import { histogramOf } from "../../src/io/histogram.ts";
import { decodeIdx, encodeIdx } from "../../src/io/idx.ts";
import { decodeLabelledRows } from "../../src/io/labelled-rows.ts";
import { decodeNpy, encodeNpy } from "../../src/io/npy.ts";
import { decodeNpz, encodeNpz } from "../../src/io/npz.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/io/safetensors.ts";
import { decodeTar } from "../../src/io/tar.ts";
import { EVENT_VERSION, encodeSummaryEvent, hyperparameters, recordOf } from "../../src/io/tensorboard.ts";
import { decodeSummaryEvents } from "../../src/io/tensorboard-reader.ts";
import { decodeTorchFile } from "../../src/io/torch-file.ts";
import { encodeZip, zipContent, zipEntries } from "../../src/io/zip.ts";
import * as nn from "../../src/nn/index.ts";
import * as optim from "../../src/optim/index.ts";
import { earlyStopping } from "../../src/train/callbacks/early-stopping.ts";
import { decodeCheckpoint } from "../../src/train/checkpoints/checkpoint-file.ts";
import { decodeEventLog } from "../../src/train/event-log.ts";
import { fitWith } from "../../src/train/fit.ts";
import { decodeModel } from "../../src/train/model-file.ts";
import { MemorySink } from "../memory-sink.ts";
import { tarBytes } from "../tar-bytes.ts";

export type Target = {
  readonly name: string;
  /** Valid files. */
  readonly seeds: readonly Uint8Array[];
  readonly parse: (bytes: Uint8Array) => unknown;
  /** Memory that reading may take, in bytes for each of the file's, beside a constant. */
  readonly factor: number;
  /** What an error says of the place. */
  readonly place: RegExp;
  /** Its share of all files. */
  readonly share: number;
};

export const FILE = "file.bin";
const BYTE = /byte \d+/;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** What a small training leaves: checkpoints, a model and a log. */
async function trained(): Promise<MemorySink> {
  const sink = new MemorySink();
  const points = Array.from({ length: 24 }, (_, i) => [Math.sin(i), Math.cos(i)]);
  await fitWith(() => wasmBackend())(nn.sequential(nn.linear(3), nn.batchNorm(), nn.relu(), nn.linear(2)), {
    train: dataset(
      array(points),
      array(
        points.map((_, i) => i % 2),
        [24],
        "i32",
      ),
    ),
    validation: 4,
    epochs: 2,
    batchSize: 8,
    loss: nn.crossEntropy(),
    metrics: [nn.accuracy()],
    optimizer: optim.adam(0.01),
    callbacks: [earlyStopping() as never],
    checkpoint: { everySteps: 2 },
    sink,
  });
  return sink;
}

export async function makeTargets(): Promise<Target[]> {
  const { files, model, log } = await trained();
  const arrays = {
    w: array([
      [1, 2, 3],
      [4, 5, 6],
    ]),
    b: new HostArray("i32", [4], Int32Array.of(1, -2, 3, 4)),
    mask: new HostArray("bool", [2], Uint8Array.of(0, 1)),
  };
  const golden = JSON.parse(readFileSync(new URL("../../golden/io/numpy.json", import.meta.url), "utf8")) as {
    cases: { npy: string }[];
    archives: Record<string, string>;
  };
  const base64 = (data: string): Uint8Array => new Uint8Array(Buffer.from(data, "base64"));
  const idx = [arrays.w, arrays.b, new HostArray("u8", [3, 4, 4], new Uint8Array(48).fill(7))].map((each) =>
    encodeIdx(each),
  );
  const config = {
    data: "mnist",
    model: "mlp",
    optimizer: "adam",
    lr: 0.001,
    schedule: "warmup 5% | cosine",
    epochs: 3,
    batchSize: 64,
    validation: 5000,
    group: ["bias: weightDecay=0"],
    wide: false,
    backend: "wasm",
    environment: { node: "20" },
    changes: [{ step: 3, before: { epochs: 2 } }],
  };
  const eventFile = base64(
    (
      JSON.parse(readFileSync(new URL("../../golden/io/event-files.json", import.meta.url), "utf8")) as {
        newer: string;
      }
    ).newer,
  );
  const summaries = [
    encodeSummaryEvent({ time: 1, step: 0, summaries: [], version: EVENT_VERSION }),
    encodeSummaryEvent({
      time: 1,
      step: 300,
      summaries: [
        { tag: "loss", kind: "scalar", value: 0.5 },
        { tag: "weights", kind: "histogram", histogram: histogramOf([-1, 0.5, 0.25, 3]) },
        { tag: "note", kind: "text", text: "two words" },
        hyperparameters({ rate: 0.1, wide: true, model: "mlp" }, { time: 1 }),
      ],
    }),
    eventFile,
  ];
  const torch = JSON.parse(readFileSync(new URL("../../golden/io/torch-files.json", import.meta.url), "utf8")) as {
    cases: { file: string }[];
    plain: string;
    protocol4: string;
    stateDict: string;
  };
  const torchFiles = [torch.plain, torch.protocol4, torch.stateDict, ...torch.cases.map(({ file }) => file)].map(
    base64,
  );
  const zip = { format: "torch", what: "entries", maxEntries: 1000, said: "zip file" };
  const unzipped = (file: Uint8Array) =>
    Promise.all(
      zipEntries(file, FILE, zip).map(
        async (entry) => [entry.name.replace(/^[^/]+/, "archive"), await zipContent(file, entry, FILE, zip)] as const,
      ),
    );
  // Plain data, and a state dict with its storages.
  const contents = await Promise.all(torchFiles.slice(0, 3).map(unzipped));
  const pickles = contents.map((entries) => new Map(entries).get("archive/data.pkl") as Uint8Array);
  return [
    { name: "idx", seeds: idx, parse: (b) => decodeIdx(b, FILE), factor: 4, place: BYTE, share: 14 },
    {
      name: "npy",
      seeds: [encodeNpy(arrays.w), ...golden.cases.map(({ npy }) => base64(npy))],
      parse: (b) => decodeNpy(b, FILE),
      factor: 8,
      place: BYTE,
      share: 14,
    },
    {
      name: "npz",
      seeds: [encodeNpz(arrays), ...Object.values(golden.archives).map(base64)],
      parse: (b) => decodeNpz(b, FILE),
      // Deflate gives up to 1032 bytes for one.
      factor: 1032,
      place: BYTE,
      share: 8,
    },
    {
      name: "safetensors",
      seeds: [encodeSafetensors(arrays, { note: "x" }), encodeSafetensors({ scalar: array([1]) })],
      parse: (b) => decodeSafetensors(b, FILE),
      factor: 40,
      place: BYTE,
      share: 14,
    },
    {
      name: "checkpoint",
      seeds: [...files.values()].slice(0, 2),
      parse: (b) => decodeCheckpoint(b, FILE),
      factor: 40,
      place: new RegExp(`${BYTE.source}|${FILE}`),
      share: 10,
    },
    {
      name: "model",
      seeds: [model as Uint8Array],
      parse: (b) => decodeModel(b, FILE),
      factor: 200,
      place: new RegExp(`${BYTE.source}|${FILE}`),
      share: 6,
    },
    {
      name: "torch file",
      seeds: torchFiles,
      parse: (b) => decodeTorchFile(b, FILE),
      // Deflate gives up to 1032 bytes for one.
      factor: 1032,
      place: BYTE,
      share: 6,
    },
    {
      // In an archive whose checksums fit, as no change of a whole file's bytes has.
      name: "torch pickle",
      seeds: pickles,
      parse: (b) => decodeTorchFile(encodeZip([...new Map([...contents.flat(), ["archive/data.pkl", b]])]), FILE),
      factor: 60,
      place: BYTE,
      share: 8,
    },
    {
      name: "CSV",
      seeds: [text('name,age\n"Ada, Countess",36\nGrace,85\n'), text('a;b;c\r\n1;"x ""y""";\r\n;;\r\n')],
      parse: (b) => decodeCsv(b, FILE),
      factor: 60,
      place: /line \d+, byte \d+/,
      share: 14,
    },
    {
      name: "table",
      seeds: [
        text("age,zip,when,paid\n36,1a,2024-02-29,yes\n,2b,,no\n85.5,1a,2023-01-01T10:30Z,yes\n"),
        text('{"a":1,"b":"x"}\n{"b":null,"c":true}\n'),
      ],
      parse: (b) => readTextTable(b, { name: FILE }),
      // A comma of the first line makes a column.
      factor: 2000,
      place: new RegExp(FILE),
      share: 8,
    },
    {
      name: "event log",
      seeds: [
        text(
          `${log
            .slice(0, 8)
            .map((event) => JSON.stringify(event))
            .join("\n")}\n`,
        ),
      ],
      parse: (b) => decodeEventLog(b, FILE),
      factor: 60,
      place: /line \d+, byte \d+/,
      share: 8,
    },
    {
      name: "config",
      seeds: [text(JSON.stringify(config)), text(JSON.stringify(config, null, 2))],
      parse: (b) => {
        let json: unknown;
        try {
          json = JSON.parse(new TextDecoder().decode(b));
        } catch {
          // As the command line says it where a config is no JSON.
          throw new OptionError(`--config: ${FILE} is no JSON.`, FILE);
        }
        return parseConfig(json, FILE);
      },
      factor: 200,
      place: new RegExp(FILE),
      share: 8,
    },
    {
      name: "tar",
      seeds: [
        tarBytes([
          { path: "data/", type: "5" },
          { path: "data/a.bin", content: new Uint8Array(700).fill(7) },
          { path: "@LongLink", type: "L", content: `${"folder/".repeat(20)}b.bin\0` },
          { path: "b.bin", content: "b" },
        ]),
        tarBytes([
          { path: "pax", type: "x", content: "14 size=00003\n19 path=data/c.bin\n" },
          { path: "c.bin", content: "abc" },
          { path: "empty", prefix: "data/deep" },
        ]),
      ],
      parse: (b) => decodeTar(b, FILE),
      factor: 8,
      place: BYTE,
      share: 8,
    },
    {
      name: "rows with labels",
      seeds: [text("3,2,no,yes\n5.1,3.5,0\n-1e-2,0,1\n7,2,1\n")],
      parse: (b) => decodeLabelledRows(b, { features: 2, classes: 3, counted: true, dtype: "f32" }, FILE),
      factor: 60,
      place: /line \d+/,
      share: 4,
    },
    {
      name: "TensorBoard events",
      seeds: [joinBytes(summaries), eventFile],
      parse: (b) => decodeSummaryEvents(b, FILE),
      factor: 60,
      place: BYTE,
      share: 4,
    },
    {
      // With checksums that fit, as no change of a whole file's bytes has.
      name: "TensorBoard messages",
      seeds: summaries.map((record) => record.slice(12, -4)),
      parse: (b) => decodeSummaryEvents(recordOf([b]), FILE),
      factor: 120,
      place: BYTE,
      share: 6,
    },
    {
      name: "CIFAR",
      seeds: [new Uint8Array(3073), new Uint8Array(2 * 3074).fill(7)],
      parse: (b) => (b.length % 3074 === 0 ? decodeCifar(b, "cifar100", FILE) : decodeCifar(b, "cifar10", FILE)),
      factor: 4,
      place: BYTE,
      share: 4,
    },
  ];
}
