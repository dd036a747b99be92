import { readdirSync, statSync } from "node:fs";
import { cifarAmong } from "../cifar-folder.ts";
import { isPictureListFile } from "../tables/is-table.ts";
import { isTextFolder } from "../text.ts";

/** Whether a data argument is pictures: a folder that has no idx files, nor those of CIFAR, nor texts, or a list of paths and labels. */
export function isPictures(data: string): boolean {
  let entries: readonly string[];
  try {
    if (!statSync(data).isDirectory()) return isPictureListFile(data);
    entries = readdirSync(data);
  } catch {
    return false;
  }
  return !entries.some((name) => /idx|ubyte/i.test(name)) && cifarAmong(entries) === undefined && !isTextFolder(data);
}
