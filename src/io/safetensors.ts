/** Safetensors files. Reader and writer stand apart so that a page which only saves does not load the reader. */
export { decodeSafetensors, type Safetensors } from "./safetensors-reader.ts";
export { encodeSafetensors } from "./safetensors-writer.ts";
