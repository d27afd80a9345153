// GET …/records and …/batches: one read path; what differs is the form of the answer and who waits. A request that waits is
// parked at its partitions with no buffer and no timer of its own, and is released at once when its client goes.

import { limits } from '../../core/base/index.ts'
import { FetchSession } from '../../core/broker/index.ts'
import { baseOffsetOf, batchBytesOf } from '../../core/record/index.ts'
import { Problem, problemOf } from '../wire/index.ts'
import type { DataAddress } from './address.ts'
import { bodyAnswer, jsonBytes, problemAnswer } from './answer.ts'
import type { Call, DataPath } from './call.ts'
import { type FetchCall, readFetchCall } from './fetch-call.ts'
import { followLines } from './fetch-follow.ts'
import { Gathering, stepOver } from './fetch-gathering.ts'
import { Patience } from './fetch-patience.ts'
import { placeHeaders, placeText, refusalOfAll } from './fetch-place.ts'

const NO_BYTES = new Uint8Array(0)
const OPEN = new TextEncoder().encode('{"records":[')

export async function fetchRecords(path: DataPath, address: DataAddress, call: Call): Promise<Response> {
  const asked = readFetchCall(address, call.queryText, call.headers, path.broker.nowMs())
  if (asked instanceof Problem) return problemAnswer(asked)
  const session = await openSession(path, asked)
  if (session instanceof Problem) return problemAnswer(session)
  if (asked.follow) return followLines(path, asked, session, call)
  const patience = new Patience(path.broker, session, asked, call)
  try {
    for (;;) {
      await patience.wait()
      const answer = await gathered(path, asked, session, patience)
      if (answer !== null) return answer
    }
  } finally {
    patience.end()
  }
}

async function openSession(path: DataPath, asked: FetchCall): Promise<FetchSession | Problem> {
  const session = await path.broker.openFetch(asked.request)
  if (!(session instanceof FetchSession)) return problemOf(session)
  const partitions = session.positions.length
  if (partitions <= limits.FETCH_PARTITIONS_MAX) return session
  return new Problem(
    'limit-reached',
    `One request reads at most ${limits.FETCH_PARTITIONS_MAX} partitions, so that its cursor fits a URL; this is ${partitions}`,
    { partitions, partitionsMax: limits.FETCH_PARTITIONS_MAX },
  )
}

/** Null: nothing yet, and there is time to wait for more. */
async function gathered(
  path: DataPath,
  asked: FetchCall,
  session: FetchSession,
  patience: Patience,
): Promise<Response | null> {
  const out = path.buffers.take()
  try {
    if (asked.form === 'json') out.append(OPEN)
    const gathering = new Gathering(session, asked, path.records, out)
    await gathering.fill(asked)
    if (gathering.recordCount === 0) {
      const refusal = refusalOfAll(session)
      if (refusal !== null) return problemAnswer(problemOf(refusal))
      const mayGoOn = !patience.isOver && !gathering.isSpent && !session.isComplete
      // Without a step forward, going on would be going round.
      if (mayGoOn && (gathering.scannedBytes > 0 || session.isCaughtUp)) return null
    }
    if (asked.form !== 'json') return bodyAnswer(out.view(), 'application/x-ndjson', placeHeaders(session))
    out.text(placeText(session, asked.isManyTopics))
    return jsonBytes(out.view())
  } finally {
    path.buffers.give(out)
  }
}

/** Stored batches as they are, of one partition; those that begin behind `until` are left out. */
export async function fetchBatches(path: DataPath, address: DataAddress, call: Call): Promise<Response> {
  const asked = readFetchCall(address, call.queryText, call.headers, path.broker.nowMs())
  if (asked instanceof Problem) return problemAnswer(asked)
  const session = await openSession(path, asked)
  if (session instanceof Problem) return problemAnswer(session)
  const patience = new Patience(path.broker, session, asked, call)
  try {
    await patience.wait()
    return await batchesAnswer(session, asked)
  } finally {
    patience.end()
  }
}

async function batchesAnswer(session: FetchSession, asked: FetchCall): Promise<Response> {
  const position = session.positions[0]!
  for (;;) {
    const slice = await session.next(asked.bytesMax)
    if (slice === null && asked.request.clamp && stepOver(session)) continue
    if (slice === null && position.problem !== null) return problemAnswer(problemOf(position.problem))
    const bytes = slice === null ? NO_BYTES : wholeBelow(slice.bytes, position.untilOffset)
    if (slice !== null) position.offset = Math.min(slice.nextOffset, position.untilOffset)
    return bodyAnswer(bytes, 'application/vnd.naru.batch', placeHeaders(session))
  }
}

function wholeBelow(batches: Uint8Array, untilOffset: number): Uint8Array {
  let at = 0
  while (at < batches.length && baseOffsetOf(batches, at) < untilOffset) at += batchBytesOf(batches, at)
  return batches.subarray(0, at)
}
