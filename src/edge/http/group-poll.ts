// POST …/members/{member}/poll: a member is alive, is done with what `commit` names, and gets what comes next of what it holds.
// One read path with every fetch: it waits as a fetch does, and its records are the same bytes. What differs is that it also
// wakes when the member's standing changes, and that the standing is told behind the records.

import { type FetchRequest, type GroupsRefusal, MemberPoll } from '../../core/broker/index.ts'
import type { ClusterImage } from '../../core/cluster/index.ts'
import type { Membership, OffsetCommit } from '../../core/group/index.ts'
import { commitsOf, isMembership, Problem, problemOf, problemOfMember, standingText } from '../wire/index.ts'
import { bodyAnswer, jsonBytes, jsonText, problemAnswer } from './answer.ts'
import { declaredBytes } from './body.ts'
import type { Call, DataPath } from './call.ts'
import { amountsOf, type FetchCall, formOf } from './fetch-call.ts'
import { Gathering } from './fetch-gathering.ts'
import { Patience } from './fetch-patience.ts'
import { placeHeaders, placeText, refusalOfAll } from './fetch-place.ts'
import { Query } from './query.ts'

export interface PollAddress {
  readonly group: string
  readonly member: string
}

interface PollCall {
  readonly asked: FetchCall
  readonly commit: readonly OffsetCommit[]
  readonly generation: number | null
}

const ADDRESS = /^\/v1\/groups\/([^/]+)\/members\/([^/]+)\/poll$/
const KNOWN = ['wait', 'limit', 'maxBytes', 'commit', 'generation', 'format']
const NO_COMMIT: readonly OffsetCommit[] = []
const NO_BYTES = new Uint8Array(0)
const NOWHERE = '"cursor":"","caughtUp":false,"partitions":[]'
/** The poll knows the topics and where they begin. */
const WHOLE: FetchRequest = { topics: [], partition: null, start: { kind: 'earliest' }, until: null, clamp: false }
const OPEN = new TextEncoder().encode('{"records":[')

/** Null: not the address of a poll. */
export function pollAddress(url: string, start: number, end: number): PollAddress | Problem | null {
  if (!url.endsWith('/poll', end)) return null
  const match = ADDRESS.exec(url.slice(start, end))
  if (match === null) return null
  try {
    return { group: decodeURIComponent(match[1]!), member: decodeURIComponent(match[2]!) }
  } catch {
    return new Problem('malformed', 'The path holds a percent sign that encodes nothing')
  }
}

export async function pollMember(path: DataPath, { group, member }: PollAddress, call: Call): Promise<Response> {
  const read = readPollCall(call)
  if (read instanceof Problem) {
    return path.bodies.refuse(call.request, declaredBytes(call.headers['content-length']), read)
  }
  const { asked, generation } = read
  const commit = read.commit.filter((offset) => !isGone(path.broker.image, offset))
  const poll = await path.broker.groups.poll({ group, member, generation, commit, waitMs: asked.waitMs })
  if (!(poll instanceof MemberPoll)) return refused(path, poll, member)
  try {
    // A generation the member has not heard of is news to it.
    const isNews = generation !== null && generation !== poll.membership.member.generation
    return await taken(path, { ...asked, tags: poll.tags, waitMs: isNews ? 0 : asked.waitMs }, poll, call)
  } catch (error) {
    await poll.end()
    throw error
  }
}

/** What was removed since the cursor was given has nobody to read it any more. */
function isGone(image: ClusterImage, { topicId, partition }: OffsetCommit): boolean {
  const topic = image.topicById(topicId)
  if (topic === null) return image.isDeleted(topicId)
  return partition < topic.nextPartition && !topic.partitions.some((known) => known.partition === partition)
}

function readPollCall({ request, queryText, headers }: Call): PollCall | Problem {
  const declared = declaredBytes(headers['content-length'])
  if (declared > 0 || (declared < 0 && request.body !== null)) {
    return new Problem('malformed', 'A poll takes no body: what it commits stands in the query')
  }
  const query = Query.parse(queryText, KNOWN)
  if (query instanceof Problem) return query
  const form = formOf(query, headers, false)
  if (form instanceof Problem) return form
  const amounts = amountsOf(query, false)
  if (amounts instanceof Problem) return amounts
  const commitText = query.get('commit') ?? ''
  const commit = commitText === '' ? NO_COMMIT : commitsOf(commitText, 'commit')
  if (commit instanceof Problem) return commit
  const generation = query.integer('generation', -1, 0, Number.MAX_SAFE_INTEGER)
  if (generation instanceof Problem) return generation
  return {
    asked: { request: WHOLE, ...amounts, follow: false, tags: null, isManyTopics: true, form },
    commit,
    generation: generation < 0 ? null : generation,
  }
}

/** Waits and gathers until there is something to say. */
async function taken(path: DataPath, asked: FetchCall, poll: MemberPoll, call: Call): Promise<Response> {
  const patience = new Patience(path.broker, poll.session, asked, call, () => poll.isChanged)
  try {
    for (;;) {
      await patience.wait()
      // What nobody is there to receive is not counted as received.
      if (poll.isChanged || call.request.signal.aborted) return emptyAnswer(path, asked, poll)
      const answer = await gathered(path, asked, poll, patience)
      if (answer !== null) return answer
    }
  } finally {
    patience.end()
  }
}

/** Null: nothing yet, and there is time to wait for more. */
async function gathered(
  path: DataPath,
  asked: FetchCall,
  poll: MemberPoll,
  patience: Patience,
): Promise<Response | null> {
  const { session } = poll
  const out = path.buffers.take()
  try {
    if (asked.form === 'json') out.append(OPEN)
    const gathering = new Gathering(session, asked, path.records, out)
    await gathering.fill(asked)
    if (gathering.recordCount === 0) {
      const refusal = refusalOfAll(session)
      // A topic that was deleted is no longer the member's in a moment.
      if (refusal !== null && refusal.kind !== 'unknown-topic') {
        await poll.end()
        return problemAnswer(problemOf(refusal))
      }
      const mayGoOn = !patience.isOver && !gathering.isSpent && refusal === null
      if (mayGoOn && (gathering.scannedBytes > 0 || session.isCaughtUp)) return null
    }
    const standing = await poll.sending()
    if (!isMembership(standing)) return refused(path, standing, poll.membership.member.member)
    if (asked.form !== 'json') return linesAnswer(out.view(), placeHeaders(session), standing)
    out.text(`${placeText(session, true).slice(0, -1)},${standingText(standing)}}`)
    return jsonBytes(out.view())
  } finally {
    path.buffers.give(out)
  }
}

/** No records, and nothing to commit: only how the member stands. */
async function emptyAnswer(path: DataPath, { form }: FetchCall, poll: MemberPoll): Promise<Response> {
  const standing = await poll.end()
  if (!isMembership(standing)) return refused(path, standing, poll.membership.member.member)
  if (form === 'json') return jsonText(`{"records":[],${NOWHERE},${standingText(standing)}}`)
  return linesAnswer(NO_BYTES, { 'naru-cursor': '', 'naru-caught-up': 'false' }, standing)
}

function linesAnswer(lines: Uint8Array, place: Readonly<Record<string, string>>, { member }: Membership): Response {
  const standing = { 'naru-generation': String(member.generation), 'naru-member-state': member.state }
  return bodyAnswer(lines, 'application/x-ndjson', { ...place, ...standing })
}

function refused(path: DataPath, refusal: GroupsRefusal, member: string): Response {
  return problemAnswer(problemOfMember(refusal, member, path.broker.image))
}
