/** Safetensors files. Reader and writer stand apart so that a page which only saves does not load the reader. */
export { type DecodeSafetensorsOptions, decodeSafetensors, type Safetensors } from "./safetensors-reader.ts";
export { type EncodeSafetensorsOptions, encodeSafetensors } from "./safetensors-writer.ts";
