// `follow=true`: an answer that does not end. Lines go out as records come, a blank line when none came for a while, so that
// both ends know the other is there; a reader that is slow is waited for. It ends with `limit`, `until`, the client or the
// broker; where a partition cannot be read on, it breaks off, since a line could not say so.

import type { FetchSession } from '../../core/broker/index.ts'
import { problemOf } from '../wire/index.ts'
import { bodyAnswer, problemAnswer } from './answer.ts'
import type { Call, DataPath } from './call.ts'
import type { FetchCall } from './fetch-call.ts'
import { Gathering } from './fetch-gathering.ts'
import { placeHeaders, refusalOfAll } from './fetch-place.ts'
import { LineStream } from './line-stream.ts'

const CHUNK_BYTES_MAX = 256 * 1024
const HEARTBEAT = new Uint8Array([0x0a])

export function followLines(path: DataPath, asked: FetchCall, session: FetchSession, call: Call): Response {
  const refusal = refusalOfAll(session)
  if (refusal !== null) return problemAnswer(problemOf(refusal))
  call.connection?.timeout(call.request, 0)
  const lines = new LineStream()
  lines.onGone = () => session.cancelWait()
  // Where the answer begins: what a reader that breaks off before its first record goes on from.
  const response = bodyAnswer(lines.readable, 'application/x-ndjson', placeHeaders(session))
  follow(path, asked, session, lines).catch((error: unknown) => {
    path.onFailure(error)
    lines.fail(error)
  })
  return response
}

async function follow(path: DataPath, asked: FetchCall, session: FetchSession, lines: LineStream): Promise<void> {
  // The head of an answer leaves with its first byte.
  lines.write(HEARTBEAT)
  let recordCount = 0
  while (!lines.isGone && recordCount < asked.recordsMax) {
    const gathered = await chunk(path, asked, session, lines, asked.recordsMax - recordCount)
    recordCount += gathered.recordCount
    if (session.positions.some((position) => position.problem !== null)) {
      lines.fail(new Error('a partition cannot be read on'))
      return
    }
    const room = lines.hasRoom()
    if (room !== null) await room
    if (session.isComplete) break
    if (gathered.scannedBytes > 0 || session.availableBytes() > 0) continue
    const wake = await session.wait(path.broker.monotonicMs() + path.heartbeatMs)
    if (wake === 'deadline') lines.write(HEARTBEAT)
    else if (wake !== 'advanced') break
  }
  lines.close()
}

async function chunk(
  path: DataPath,
  asked: FetchCall,
  session: FetchSession,
  lines: LineStream,
  recordsMax: number,
): Promise<Gathering> {
  const out = path.buffers.take()
  try {
    const gathering = new Gathering(session, asked, path.records, out)
    await gathering.fill({ recordsMax, bytesMax: CHUNK_BYTES_MAX })
    lines.write(out.view().slice())
    return gathering
  } finally {
    path.buffers.give(out)
  }
}
