// An upload of any length: records are appended while it runs, a batch when one is full or `lingerMs` after its first record
// came, in order up to the first failure. Memory is bounded: above a backlog the upload is not read on until what is
// appended is committed. With `Accept: application/x-ndjson` each committed batch is told at once, as a line.

import { type AppendedBatch, type ProduceOutcome, ProduceSession } from '../../core/broker/index.ts'
import { type LinedBody, partialProblem, Problem, problemOf, problemOfFault } from '../wire/index.ts'
import type { RecordSpans } from '../../core/record/index.ts'
import { bodyAnswer, problemAnswer } from './answer.ts'
import type { Upload } from './body.ts'
import { accepts, type Call, type DataPath } from './call.ts'
import { LineNumbers } from './line-numbers.ts'
import { LineStream } from './line-stream.ts'
import { producedAnswer, producedText } from './produce-answer.ts'
import type { ProduceCall } from './produce-call.ts'
import { linedBody, takenAs } from './produce-lines.ts'
import type { RoomShare } from './produce-room.ts'

const BACKLOG_BYTES_MAX = 8 * 1024 * 1024
const encoder = new TextEncoder()

interface StreamEnd {
  outcome: ProduceOutcome
  problem: Problem | null
}

export async function streamProduce(
  path: DataPath,
  asked: ProduceCall,
  call: Call,
  declared: number,
): Promise<Response> {
  // A body that says its length is on its way; one that does not may be somebody's quiet log.
  const idleMs = declared >= 0 ? path.bodies.bodyMs : path.bodies.uploadIdleMs
  const body = call.request.body === null ? null : path.bodies.pieces(call.request.body)
  call.connection?.timeout(call.request, 0)
  const first = body === null ? null : await firstPiece(path, asked, body, idleMs)
  if (first instanceof Problem) return refused(body, first)
  const opened = await path.broker.openProduce(asked.request)
  if (!(opened instanceof ProduceSession)) return refused(body, problemOf(opened))
  const stream = new ProduceStream(path, asked, opened, first)
  if (!accepts(call.headers, 'application/x-ndjson')) {
    const { outcome, problem } = await stream.run(body, idleMs, null)
    if (problem !== null) return problemAnswer(problem)
    const unacknowledged = asked.request.acks === '0' ? opened.recordCount : null
    return producedAnswer(path.broker, outcome, takenAs(asked), unacknowledged)
  }
  const lines = new LineStream()
  tellLines(path, asked, stream.run(body, idleMs, lines), lines).catch((error: unknown) => {
    path.onFailure(error)
    lines.fail(error)
  })
  return bodyAnswer(lines.readable, 'application/x-ndjson')
}

/** Of an upload that would create its topic, what came first: a body that is wrong from the start creates none. */
async function firstPiece(
  path: DataPath,
  asked: ProduceCall,
  body: Upload,
  idleMs: number,
): Promise<Uint8Array | null | Problem> {
  if (!('kind' in path.broker.routeOf(asked.request.topic))) return null
  const piece = await body.next(idleMs)
  if (piece === null || piece instanceof Problem) return piece
  const trial = linedBody(path, asked, { add: () => {} })
  const fault = trial.push(piece)
  return fault !== null && fault.record === 0 ? problemOfFault(fault) : piece
}

async function refused(body: Upload | null, problem: Problem): Promise<Response> {
  await body?.drain()
  return problemAnswer(problem)
}

async function tellLines(
  path: DataPath,
  asked: ProduceCall,
  run: Promise<StreamEnd>,
  lines: LineStream,
): Promise<void> {
  const { outcome, problem } = await run
  const last =
    problem === null
      ? `{"done":true,${producedText(path.broker, outcome, takenAs(asked)).slice(1)}\n`
      : `${JSON.stringify({ problem: problem.body() })}\n`
  lines.write(encoder.encode(last))
  lines.close()
}

class ProduceStream {
  readonly #path: DataPath
  readonly #session: ProduceSession
  readonly #body: LinedBody
  readonly #numbers = new LineNumbers()
  /** Taken from the upload already. */
  #first: Uint8Array | null
  #kept = 0
  #linger: ReturnType<typeof setTimeout> | null = null
  #flushedCount = 0

  constructor(path: DataPath, asked: ProduceCall, session: ProduceSession, first: Uint8Array | null) {
    this.#first = first
    this.#path = path
    this.#session = session
    this.#body = linedBody(path, asked, this)
  }

  add(record: RecordSpans, source: Uint8Array, start: number, end: number): void {
    this.#numbers.note(this.#body.recordCount, this.#body.lineCount)
    this.#session.add(record, source, start, end)
  }

  async run(body: Upload | null, idleMs: number, lines: LineStream | null): Promise<StreamEnd> {
    this.#session.onBatch = (batch) => this.#keep(batch, lines)
    const share = this.#path.room.share()
    try {
      const fault = body === null ? null : await this.#read(body, idleMs, lines, share)
      if (this.#linger !== null) clearTimeout(this.#linger)
      const outcome = await this.#session.finish()
      return { outcome, problem: this.#problemOf(outcome, fault) }
    } finally {
      share.end()
    }
  }

  async #read(body: Upload, idleMs: number, lines: LineStream | null, share: RoomShare): Promise<Problem | null> {
    const session = this.#session
    for (;;) {
      const chunk = this.#first ?? (await body.next(idleMs))
      this.#first = null
      if (chunk instanceof Problem) return chunk
      const fault = chunk === null ? this.#body.end() : this.#body.push(chunk)
      if (fault !== null || session.refusal !== null) {
        if (chunk !== null) await body.drain()
        return fault === null || session.refusal !== null ? null : problemOfFault(fault)
      }
      if (chunk === null) return null
      if (this.#linger === null && session.recordCount > this.#flushedCount) this.#armLinger()
      share.set(session.backlogBytes)
      while (session.backlogBytes > (share.room.isFull ? 0 : BACKLOG_BYTES_MAX) || this.#numbers.isLong) {
        await session.drained()
        share.set(session.backlogBytes)
        this.#numbers.forgetBelow(this.#body.recordCount)
      }
      const room = lines?.hasRoom()
      if (room) await room
    }
  }

  #armLinger(): void {
    this.#linger = setTimeout(() => {
      this.#linger = null
      this.#flushedCount = this.#session.recordCount
      this.#session.flush()
    }, this.#path.lingerMs)
  }

  #keep(batch: AppendedBatch, lines: LineStream | null): void {
    this.#kept += batch.count
    lines?.write(encoder.encode(`${JSON.stringify(batch)}\n`))
  }

  #problemOf(outcome: ProduceOutcome, fault: Problem | null): Problem | null {
    const { refusal, firstUnaccepted } = outcome
    if (refusal === null && fault === null) return null
    const record = refusal === null ? this.#body.recordCount : (firstUnaccepted ?? this.#body.recordCount)
    const line = refusal === null ? faultLine(fault!, this.#body) : this.#numbers.lineOf(record)
    const problem = refusal === null ? fault! : problemOf(refusal)
    return partialProblem(this.#path.broker, problem, outcome, this.#kept, { record, line })
  }
}

/** The line that could not be read; after a stall or a broken connection, the one behind the last that was. */
function faultLine(fault: Problem, body: LinedBody): number {
  const { line } = fault.numbers
  return typeof line === 'number' ? line : body.lineCount + 1
}
