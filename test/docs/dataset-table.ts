import { KNOWN_DATASETS } from "../../src/node/known-datasets.ts";
import { code, markdownTable } from "./markdown.ts";

const count = (value: number): string => value.toLocaleString("en");

export function datasetTable(): string {
  const rows = KNOWN_DATASETS.map(({ name, title, trainCount, testCount, shape, classes, files, source, licence }) => {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const [algorithm = ""] = (files[0]?.digest ?? "").split(":");
    return [
      code(name),
      `[${title}](${source})`,
      `${count(trainCount)} and ${count(testCount)}`,
      shape.join("x"),
      `${classes.length}`,
      count(bytes),
      { md5: "MD5", sha256: "SHA-256" }[algorithm] ?? algorithm,
      licence,
    ];
  });
  return markdownTable(
    ["name", "data", "training and test", "sample", "classes", "bytes to fetch", "checked by size and", "licence"],
    rows,
  );
}
