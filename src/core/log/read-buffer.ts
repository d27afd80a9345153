// One growing buffer for synchronous reads: what it hands out is valid until the next `take`.

const BYTES_MIN = 64 * 1024

export class ReadBuffer {
  #bytes = new Uint8Array(0)

  take(bytes: number): Uint8Array {
    if (bytes > this.#bytes.length) {
      let room = Math.max(BYTES_MIN, this.#bytes.length)
      while (room < bytes) room *= 2
      this.#bytes = new Uint8Array(room)
    }
    return this.#bytes.subarray(0, bytes)
  }
}
