// Messages as frames of at most 256 KiB, one behind the other on their lane: short enough that reading one never holds the loop.
//
//   u8 subject (255: a sign of life)   u8 flags (1: the last of its message)   bytes

import { PEER_MESSAGE_BYTES_MAX, peerSubjects, type PeerSubject } from '../../core/ports/index.ts'

export const FRAME_BYTES_MAX = 256 * 1024
const HEADER_BYTES = 2
const LAST = 1
const ALIVE = 255

export const aliveFrame: Uint8Array = Uint8Array.of(ALIVE, LAST)

export function* framesOf(subject: PeerSubject, message: Uint8Array): Iterable<Uint8Array> {
  const body = FRAME_BYTES_MAX - HEADER_BYTES
  let at = 0
  do {
    const part = message.subarray(at, at + body)
    at += body
    const frame = new Uint8Array(HEADER_BYTES + part.length)
    frame[0] = peerSubjects.indexOf(subject)
    frame[1] = at >= message.length ? LAST : 0
    frame.set(part, HEADER_BYTES)
    yield frame
  } while (at < message.length)
}

export type Assembled =
  | { kind: 'message'; subject: PeerSubject; bytes: Uint8Array }
  /** Not the end of a message, or none. */
  | { kind: 'more' }
  | { kind: 'garbage'; why: string }

const MORE: Assembled = { kind: 'more' }

/** Of one lane, in order. */
export class Assembly {
  #subject: number | null = null
  #parts: Uint8Array[] = []
  #bytes = 0

  /** The frame's bytes are kept. */
  take(frame: Uint8Array): Assembled {
    if (frame.length > FRAME_BYTES_MAX) return garbage(`a frame has at most ${FRAME_BYTES_MAX} bytes`)
    const subject = frame[0]
    const flags = frame[1]
    if (subject === undefined || flags === undefined || flags > LAST) return garbage('that is no frame of a broker')
    if (subject === ALIVE) return frame.length === HEADER_BYTES ? MORE : garbage('a sign of life is empty')
    if (this.#subject !== null && subject !== this.#subject) return garbage('a message was not finished')
    const name = peerSubjects[subject]
    if (name === undefined) return garbage(`subject ${subject} is not known: run the same version of naru`)
    this.#subject = subject
    this.#parts.push(frame.subarray(HEADER_BYTES))
    this.#bytes += frame.length - HEADER_BYTES
    if (this.#bytes > PEER_MESSAGE_BYTES_MAX) return garbage(`a message has at most ${PEER_MESSAGE_BYTES_MAX} bytes`)
    return flags === LAST ? { kind: 'message', subject: name, bytes: this.#finished() } : MORE
  }

  #finished(): Uint8Array {
    const parts = this.#parts
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts, this.#bytes)
    this.#subject = null
    this.#parts = []
    this.#bytes = 0
    return bytes
  }
}

function garbage(why: string): Assembled {
  return { kind: 'garbage', why }
}
