import type { HostArray } from "../core/host-array.ts";
import { decodeNpy, encodeNpy } from "./npy.ts";
import { encodeZip, type ZipForm, zipContent, zipEntries } from "./zip.ts";

const NPZ: ZipForm = { format: "npz", what: "arrays", maxEntries: 10_000, said: ".npz", only: ".npy" };

/**
 * The arrays of a `.npz` file by name (numpy.savez and savez_compressed): a zip of `.npy` files, stored or deflated.
 *
 * The file is taken as hostile: directory and local headers are held against each other and the file's length, sizes against
 * what deflate can give, contents against their CRC-32. Throws DataError naming `name` and the byte, also for zip64,
 * encryption and other compressions.
 *
 * @example
 * Object.keys(await decodeNpz(await encodeNpz({ x: array([1, 2]) }))) // -> ["x"]
 */
export async function decodeNpz(file: Uint8Array, name = "npz"): Promise<Readonly<Record<string, HostArray>>> {
  const arrays: [string, HostArray][] = [];
  for (const entry of zipEntries(file, name, NPZ)) {
    const bytes = await zipContent(file, entry, name, NPZ);
    arrays.push([entry.name.replace(/\.npy$/, ""), decodeNpy(bytes, `${name}/${entry.name}, byte ${entry.at}`)]);
  }
  // Pairs through Object.fromEntries, which makes even `__proto__` an ordinary name.
  return Object.fromEntries(arrays);
}

/** Arrays by name as the bytes of a `.npz` file, stored as numpy.savez does. */
export function encodeNpz(arrays: Readonly<Record<string, HostArray>>): Uint8Array<ArrayBuffer> {
  return encodeZip(Object.entries(arrays).map(([name, array]) => [`${name}.npy`, encodeNpy(array)]));
}
