// Why a socket between brokers is closed, as the other side is told: a close code and a reason of at most 123 bytes that names
// the mend.

export interface Refused {
  readonly code: number
  readonly reason: string
}

export const CloseCode = {
  restart: 1012,
  busy: 1013,
  malformed: 4400,
  secret: 4401,
  late: 4408,
  identity: 4409,
  /** It asked itself. */
  self: 4411,
  /** Another connection took the place of this one. */
  replaced: 4410,
  version: 4426,
} as const

/** Codes that say that trying again as is cannot help. */
export function isFinal(code: number): boolean {
  return code === CloseCode.secret || code === CloseCode.identity || code === CloseCode.version
}

/** The reasons here are ASCII; a close frame has room for so many bytes. */
const REASON_CHARS_MAX = 123

export function reasonText(reason: string): string {
  return reason.slice(0, REASON_CHARS_MAX)
}
