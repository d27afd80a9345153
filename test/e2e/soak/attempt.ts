// One produce request and what came of it, in the words of the contract.

import type { AckedRange } from './ledger.ts'

export type Attempt =
  | { kind: 'acked'; ranges: readonly AckedRange[] }
  /** Answered, with outcome `none`: nothing happened. */
  | { kind: 'refused' }
  /** No answer, or one that does not say. */
  | { kind: 'unknown' }

const ANSWER_MS_MAX = 20_000

export interface ProduceAnswer {
  count: number
  partitions: AckedRange[]
}

/** Throws on an answer that blames the request: that would be a fault of broker or soak. */
export async function attempt(url: string, init: RequestInit, count: number): Promise<Attempt> {
  let status: number
  let text: string
  try {
    const response = await fetch(url, { method: 'POST', ...init, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
    status = response.status
    text = await response.text()
  } catch {
    return { kind: 'unknown' }
  }
  if (status === 200) {
    const answer = JSON.parse(text) as ProduceAnswer
    if (answer.count !== count) throw new Error(`${count} records sent, ${answer.count} acknowledged: ${text}`)
    return { kind: 'acked', ranges: answer.partitions }
  }
  if (status !== 503 && status !== 504) throw new Error(`${url}: ${status} ${text}`)
  return { kind: (JSON.parse(text) as { outcome: string }).outcome === 'none' ? 'refused' : 'unknown' }
}
