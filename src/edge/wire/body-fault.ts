// Why a request body was not taken, as a value: readers stop at the first fault, and what they had handed on before it is
// the caller's to keep (a streamed body) or to drop (a buffered one).

import { limits } from '../../core/base/index.ts'
import { skipJsonString } from '../../core/record/index.ts'

export interface BodyFault {
  /**
   * malformed: not the syntax the type promises · invalid: well-formed, but not a record · unsupported: a field of a later
   * version · unsupported-media: a body of another type's form · too-large: beyond a limit of the system
   */
  readonly code: 'malformed' | 'invalid' | 'unsupported' | 'unsupported-media' | 'too-large'
  /** JSON Pointer into the body, or into the line; empty: the whole of it. */
  readonly pointer: string
  readonly message: string
  /** Place of the record in the body, from 0: so many were handed on before it. */
  readonly record: number
  /** From 1; null where the body is not read by lines. */
  readonly line: number | null
}

export type FaultCode = BodyFault['code']

export function bodyFault(code: FaultCode, pointer: string, message: string, record = 0): BodyFault {
  return { code, pointer, message, record, line: null }
}

/** `position` is where `skipJsonValue` gave up; `start` is where its reader, who counts bytes, sees the beginning. */
export function jsonFault(bytes: Uint8Array, start: number, end: number, position: number, record = 0): BodyFault {
  return bodyFault('malformed', '', `this is not JSON: ${jsonFaultText(bytes, start, end, position)}`, record)
}

function jsonFaultText(bytes: Uint8Array, start: number, end: number, position: number): string {
  if (position >= end) return 'it ends where more is due'
  const where = `at byte ${position - start}`
  const byte = bytes[position]!
  if ((byte === 0x5b || byte === 0x7b) && isTooDeep(bytes, start, end, position)) return `nested too deep ${where}`
  if (byte === 0xef && position === start) return 'it begins with a byte order mark: leave that out'
  if (byte < 0x20) return `an unescaped control character ${where}`
  if (byte >= 0x7f) return `an unexpected character ${where}`
  return `an unexpected ${String.fromCharCode(byte)} ${where}`
}

/** Whether the bracket at `position`, before which all is well, opens more levels than there may be. */
function isTooDeep(bytes: Uint8Array, start: number, end: number, position: number): boolean {
  let depth = 0
  for (let at = start; at < position; at++) {
    const byte = bytes[at]!
    if (byte === 0x22) {
      const behind = skipJsonString(bytes, at, end)
      // The bracket lies inside a string that is wrong there.
      if (behind < 0) return false
      at = behind - 1
    } else if (byte === 0x5b || byte === 0x7b) depth++
    else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return depth >= limits.JSON_DEPTH_MAX
}

/** A name as one step of a JSON Pointer. */
export function pointerStep(name: string): string {
  return `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
}
