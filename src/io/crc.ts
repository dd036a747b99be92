/** Checksums of 32 bits by their reversed polynomials, byte by byte (Sarwate, 1988). */
function checksum(polynomial: number): (bytes: Uint8Array) => number {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? polynomial ^ (c >>> 1) : c >>> 1;
    return c;
  });
  return (bytes) => {
    let c = 0xffffffff;
    for (let i = 0; i < bytes.length; i++) c = (table[(c ^ (bytes[i] as number)) & 255] as number) ^ (c >>> 8);
    return (c ^ 0xffffffff) >>> 0;
  };
}

/** CRC-32 (ISO 3309), of zip and PNG. */
export const crc32: (bytes: Uint8Array) => number = checksum(0xedb88320);

/** CRC-32C (Castagnoli), of TensorFlow's records. */
export const crc32c: (bytes: Uint8Array) => number = checksum(0x82f63b78);
