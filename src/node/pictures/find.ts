import { readdir, realpath, stat } from "node:fs/promises";
import { extname, join } from "node:path";
import { DataError } from "../../core/errors.ts";
import { isMissing, reasonOf } from "../file-store.ts";

export type Part = "train" | "validation" | "test";
export const PARTS: readonly Part[] = ["train", "validation", "test"];

/** A file that is taken for a picture. */
export type FoundPicture = {
  /** For the system. */
  readonly path: string;
  /** For people, and for what must be alike on every machine: relative to the folder, with slashes, in Unicode's NFC. */
  readonly name: string;
  readonly label: string;
  /** Where the folder or the list says. */
  readonly part: Part | undefined;
};

export type Skipped = { readonly name: string; readonly reason: string };

export type FoundPictures = {
  /** In the order of their names. */
  readonly pictures: readonly FoundPicture[];
  readonly classes: readonly string[];
  readonly skipped: readonly Skipped[];
};

const EXTENSIONS = ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "avif", "tif", "tiff"];
/** What systems leave in folders. */
const IGNORED = /^(\..*|__MACOSX|Thumbs\.db|desktop\.ini|@eaDir)$/i;
const PART_NAMES: Readonly<Record<string, Part>> = {
  train: "train",
  training: "train",
  val: "validation",
  valid: "validation",
  validation: "validation",
  test: "test",
  testing: "test",
};

export const isPictureFile = (path: string): boolean => EXTENSIONS.includes(extname(path).slice(1).toLowerCase());

export const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0;

const plain = (text: string): string => text.normalize("NFC");

/**
 * The pictures of a folder with a sub-folder for each class, or with such folders in `train`, `val` and `test`. Folders inside
 * of a class belong to it. Links are not followed unless `links`; then each picture counts once, wherever links lead.
 *
 * Throws DataError where there are no classes, only one, or two whose names differ only in case.
 */
export async function findPictures(folder: string, links: boolean): Promise<FoundPictures> {
  const walk = new Walk(folder, links);
  const top = await walk.list(folder, "");
  const parts = top.folders.filter(({ name }) => PART_NAMES[name.toLowerCase()] !== undefined);
  const isSplit = parts.some(({ name }) => PART_NAMES[name.toLowerCase()] === "train");
  if (isSplit) {
    const known = new Map<Part, string>();
    for (const { name } of parts) {
      const part = PART_NAMES[name.toLowerCase()] as Part;
      if (known.has(part))
        throw new DataError(
          `pictures: ${folder} has both ${known.get(part)} and ${name}; expected one folder for ${part}.`,
          folder,
        );
      known.set(part, name);
    }
  }
  for (const { name } of top.files) walk.skip(name, "lies beside the folders of classes");
  for (const each of top.folders) {
    const part = isSplit ? PART_NAMES[each.name.toLowerCase()] : undefined;
    if (part === undefined && isSplit) walk.skip(`${each.name}/`, "lies beside the folders train, val and test");
    else if (part === undefined) await walk.collect(each.path, each.name, each.name, undefined);
    else {
      const inside = await walk.list(each.path, `${each.name}/`);
      for (const { name } of inside.files) walk.skip(`${each.name}/${name}`, "lies beside the folders of classes");
      for (const { path, name } of inside.folders) await walk.collect(path, `${each.name}/${name}`, name, part);
    }
  }
  const pictures = walk.pictures.sort(byName);
  return { pictures, classes: classesOf(pictures, folder), skipped: walk.skipped.sort(byName) };
}

/**
 * The folder `test` (else `val`) of a folder that has nothing to train on beside it. Undefined where it has, where there is none,
 * and where that is the name of a class.
 */
export async function heldOutFolder(folder: string, classes: readonly string[]): Promise<string | undefined> {
  const { folders } = await new Walk(folder, false).list(folder, "");
  const partOf = ({ name }: Entry): Part | undefined =>
    classes.includes(plain(name)) ? undefined : PART_NAMES[name.toLowerCase()];
  if (folders.length === 0 || folders.some((each) => partOf(each) === undefined || partOf(each) === "train"))
    return undefined;
  return (folders.find((each) => partOf(each) === "test") ?? folders[0])?.path;
}

/** The classes of training pictures by name, checked. */
export function classesOf(pictures: readonly FoundPicture[], source: string): readonly string[] {
  const fail = (text: string): never => {
    throw new DataError(`pictures: ${source} ${text}`, source);
  };
  if (pictures.length === 0)
    fail(
      `has no pictures in folders of classes; expected a sub-folder for each class, such as cats/ and dogs/, with files ending in ${EXTENSIONS.join(", ")}.`,
    );
  const isTrained = ({ part }: FoundPicture): boolean => part === undefined || part === "train";
  const classes = [...new Set(pictures.filter(isTrained).map(({ label }) => label))].sort();
  const seen = new Map<string, string>();
  for (const name of new Set(pictures.map(({ label }) => label))) {
    const other = seen.get(name.toLowerCase());
    if (other !== undefined)
      fail(`has the classes ${other} and ${name}, which differ only in case; expected one name for one class.`);
    seen.set(name.toLowerCase(), name);
  }
  for (const { label, name, part } of pictures)
    if (!classes.includes(label))
      fail(`has ${name} of the class ${label} for ${part}, of which there is no picture to train on.`);
  const [only] = classes;
  if (classes.length === 1) fail(`has the one class ${only}; expected at least two to tell apart.`);
  return classes;
}

type Entry = { readonly path: string; readonly name: string };

/** Goes through folders and keeps account of what it leaves out. */
class Walk {
  readonly pictures: FoundPicture[] = [];
  readonly skipped: Skipped[] = [];
  private readonly root: string;
  private readonly links: boolean;
  private readonly visited = new Set<string>();
  private readonly taken = new Set<string>();

  constructor(root: string, links: boolean) {
    this.root = root;
    this.links = links;
  }

  skip(name: string, reason: string): void {
    this.skipped.push({ name: plain(name), reason });
  }

  /** What a folder holds. The first one must be readable; others are left out and said. */
  async list(
    path: string,
    prefix: string,
  ): Promise<{ readonly folders: readonly Entry[]; readonly files: readonly Entry[] }> {
    const folders: Entry[] = [];
    const files: Entry[] = [];
    try {
      const entries = await readdir(path, { withFileTypes: true });
      for (const entry of entries.sort(byName)) {
        if (IGNORED.test(entry.name)) continue;
        const found = { path: join(path, entry.name), name: entry.name };
        let kind: { isDirectory(): boolean; isFile(): boolean } = entry;
        if (entry.isSymbolicLink()) {
          if (!this.links) {
            this.skip(prefix + entry.name, LINK);
            continue;
          }
          const target = await this.follow(found, prefix);
          if (target === undefined) continue;
          kind = target;
        }
        if (kind.isDirectory()) folders.push(found);
        else if (kind.isFile()) files.push(found);
        else this.skip(prefix + entry.name, "is no file");
      }
    } catch (error) {
      if (path !== this.root) this.skip(prefix, `cannot be read: ${reasonOf(error)}`);
      else
        throw new DataError(
          isMissing(error)
            ? `pictures: there is no folder ${path}.`
            : `pictures: cannot read ${path}: ${reasonOf(error)}.`,
          path,
        );
    }
    return { folders, files };
  }

  /** All pictures below a class's folder. */
  async collect(path: string, name: string, label: string, part: Part | undefined): Promise<void> {
    if (this.links) {
      const real = await realpath(path);
      if (this.visited.has(real)) return this.skip(`${name}/`, TWICE);
      this.visited.add(real);
    }
    const { folders, files } = await this.list(path, `${name}/`);
    for (const file of files) {
      const full = `${name}/${file.name}`;
      if (!isPictureFile(file.name)) this.skip(full, "is no picture by its name");
      else if (this.links && !(await this.isNew(file.path))) this.skip(full, TWICE);
      else this.pictures.push({ path: file.path, name: plain(full), label: plain(label), part });
    }
    for (const each of folders) await this.collect(each.path, `${name}/${each.name}`, label, part);
  }

  private async follow({ path, name }: Entry, prefix: string): Promise<Awaited<ReturnType<typeof stat>> | undefined> {
    try {
      return await stat(path);
    } catch {
      this.skip(prefix + name, "is a link to nothing");
      return undefined;
    }
  }

  private async isNew(path: string): Promise<boolean> {
    const real = await realpath(path);
    if (this.taken.has(real)) return false;
    this.taken.add(real);
    return true;
  }
}

/** Why a link is left out. */
export const LINK = "is a symbolic link";
const TWICE = "is a link to what is there already";
