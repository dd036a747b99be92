/** What the bundle test must refuse. */
import { readFileSync } from "node:fs";

export const text: string = readFileSync("file.txt", "utf8");
