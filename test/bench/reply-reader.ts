// Finds where a reply ends, and its status, without looking at more than the head. Replies that declare a length only:
// the paths measured all do, and a chunked one would be a finding.

const CR = 13
const LF = 10
const LENGTH = 'content-length:'
const HEAD_BYTES_MAX = 16_384

export class ReplyReader {
  status = 0
  /** Body bytes still to come; -1 while in the head. */
  #left = -1
  /** The head so far, when it came in pieces. */
  #head: Uint8Array | null = null

  /** True when `bytes` completes the reply. Replies never overlap: one request is in flight. */
  take(bytes: Uint8Array): boolean {
    if (this.#left >= 0) return this.#takeBody(bytes.length)
    let head = bytes
    if (this.#head !== null) {
      head = new Uint8Array(this.#head.length + bytes.length)
      head.set(this.#head)
      head.set(bytes, this.#head.length)
      this.#head = null
    }
    let lineStart = 0
    let length = -1
    for (let at = 0; at < head.length; at++) {
      if (head[at] !== LF) continue
      if (at - lineStart <= 1) {
        if (length < 0) throw new Error('a reply without a declared length')
        this.status = (head[9]! - 48) * 100 + (head[10]! - 48) * 10 + head[11]! - 48
        this.#left = length
        return this.#takeBody(head.length - at - 1)
      }
      if (length < 0) length = lengthIn(head, lineStart, at)
      lineStart = at + 1
    }
    if (head.length > HEAD_BYTES_MAX) throw new Error('a reply whose head does not end')
    this.#head = head
    return false
  }

  #takeBody(bytes: number): boolean {
    this.#left -= bytes
    if (this.#left > 0) return false
    if (this.#left < 0) throw new Error('more bytes than the reply declared')
    this.#left = -1
    return true
  }
}

function lengthIn(head: Uint8Array, start: number, end: number): number {
  if ((head[start]! | 32) !== 99 || end - start <= LENGTH.length) return -1
  for (let i = 0; i < LENGTH.length; i++) if ((head[start + i]! | 32) !== (LENGTH.charCodeAt(i) | 32)) return -1
  let value = 0
  for (let at = start + LENGTH.length; at < end; at++) {
    const digit = head[at]! - 48
    if (digit >= 0 && digit <= 9) value = value * 10 + digit
    else if (head[at] !== 32 && head[at] !== CR) return -1
  }
  return value
}
