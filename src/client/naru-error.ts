// What went wrong, in a way a program can act on: `code` to switch on, `outcome` says what happened to what was asked.

import type { Problem } from '../../openapi/client/index.ts'

/** `none`: nothing was done, asking again is safe. `partial`: a part was. `unknown`: it may or may not have been done. */
export type Outcome = 'none' | 'partial' | 'unknown'

/** The client's own codes; all others are the broker's. */
export type ClientCode = 'buffer-full' | 'closed' | 'delivery-timeout' | 'invalid-record' | 'unreachable'

export class NaruError extends Error {
  override readonly name = 'NaruError'
  readonly code: ClientCode | Problem['code']
  readonly outcome: Outcome
  /** Whether the same may succeed later. */
  readonly retryable: boolean
  /** What the broker said, with the numbers needed to recover; null where the client itself gave up. */
  readonly problem: Problem | null

  constructor(
    code: ClientCode | Problem['code'],
    message: string,
    about: { outcome: Outcome; retryable: boolean; problem?: Problem | null; cause?: unknown },
  ) {
    super(message, about.cause === undefined ? undefined : { cause: about.cause })
    this.code = code
    this.outcome = about.outcome
    this.retryable = about.retryable
    this.problem = about.problem ?? null
  }

  static of(problem: Problem, outcome: Outcome = problem.outcome): NaruError {
    const { code, retryable, title, detail } = problem
    return new NaruError(code, `${title}: ${detail} (${code})`, { outcome, retryable, problem })
  }
}
