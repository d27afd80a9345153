// A refusal as clients see it: RFC 9457, with a closed code, what happened (`outcome`), whether to try again, and the numbers
// needed to recover. The one place that turns what the core refuses into that is refusal.ts beside this.

import { problemCodes, type ProblemCode } from './problem-code.ts'

export type Outcome = 'none' | 'partial' | 'unknown'

export interface PointedError {
  /** JSON Pointer into the body. */
  pointer: string
  message: string
}

export type ProblemNumbers = Readonly<Record<string, unknown>>

const RETRY_AFTER_S = '1'

export class Problem {
  readonly code: ProblemCode
  readonly detail: string
  readonly outcome: Outcome
  readonly numbers: ProblemNumbers
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ProblemCode,
    detail: string,
    numbers: ProblemNumbers = {},
    outcome: Outcome = 'none',
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.code = code
    this.detail = detail
    this.numbers = numbers
    this.outcome = outcome
    this.headers = headers
  }

  static at(pointer: string, message: string): Problem {
    return Problem.ofErrors([{ pointer, message }])
  }

  static ofErrors(errors: readonly PointedError[], code: 'invalid' | 'unsupported' = 'invalid'): Problem {
    const first = errors[0]!
    const where = first.pointer === '' ? '' : `${first.pointer}: `
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''
    return new Problem(code, `${where}${first.message}${more}`, { errors })
  }

  get status(): number {
    return problemCodes[this.code].status
  }

  with(numbers: ProblemNumbers, outcome: Outcome = this.outcome): Problem {
    return new Problem(this.code, this.detail, { ...this.numbers, ...numbers }, outcome, this.headers)
  }

  body(): Record<string, unknown> {
    const { status, title, retryable } = problemCodes[this.code]
    const { code, detail, outcome } = this
    return { type: `urn:naru:problem:${code}`, title, status, detail, code, outcome, retryable, ...this.numbers }
  }

  response(): Response {
    const { status } = this
    const headers = new Headers({ ...this.headers, 'content-type': 'application/problem+json' })
    if ((status === 429 || status === 503) && !headers.has('retry-after')) headers.set('retry-after', RETRY_AFTER_S)
    return new Response(JSON.stringify(this.body()), { status, headers })
  }
}
