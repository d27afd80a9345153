/** A Buffer and a Uint8Array are two kinds of array to the loops that read them, which are fast for one kind. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
