// The small things said over sockets and in event streams; records are a Unit's. Cursors and names of topics are of
// [A-Za-z0-9._-], so that they need no escaping.

import type { Problem } from '../wire/index.ts'
import type { AssignedPlace, MemberPlace } from './member-holds.ts'
import type { Reset } from './unit-reader.ts'

const encoder = new TextEncoder()

export function welcomeMessage(broker: number, frameBytesMax: number, heartbeatMs: number): string {
  return JSON.stringify({ op: 'welcome', broker, frameBytesMax, heartbeatMs })
}

export function subscribedMessage(id: string, cursor: string): string {
  return `{"op":"subscribed","id":${JSON.stringify(id)},"cursor":"${cursor}"}`
}

/** A member has no place of its own: the group knows it. */
export function joinedMessage(id: string, generation: number): string {
  return `{"op":"subscribed","id":${JSON.stringify(id)},"generation":${generation}}`
}

export function assignedMessage(sub: string, partitions: readonly AssignedPlace[], generation: number): string {
  return JSON.stringify({ op: 'assigned', sub, partitions, generation })
}

export function revokedMessage(sub: string, partitions: readonly MemberPlace[], generation: number): string {
  return JSON.stringify({ op: 'revoked', sub, partitions, generation })
}

export function positionMessage(sub: string, cursor: string): string {
  return `{"op":"position","sub":${JSON.stringify(sub)},"cursor":"${cursor}"}`
}

export function resetMessage(sub: string, reset: Reset): string {
  return JSON.stringify({ op: 'reset', sub, ...resetMembers(reset) })
}

export function answerMessage(op: 'ok' | 'pong', id: string): string {
  return `{"op":"${op}","id":${JSON.stringify(id)}}`
}

export function errorMessage(place: { id?: string | null; sub?: string | null }, problem: Problem): string {
  const { id, sub } = place
  return JSON.stringify({
    op: 'error',
    ...(typeof id === 'string' ? { id } : null),
    ...(typeof sub === 'string' ? { sub } : null),
    problem: problem.body(),
  })
}

export function drainMessage(afterMs: number): string {
  return `{"op":"drain","afterMs":${afterMs}}`
}

/** How long a client should wait before it connects again. */
export function retryEvent(retryMs: number): Uint8Array {
  return encoder.encode(`retry: ${retryMs}\n\n`)
}

export function positionEvent(cursor: string): Uint8Array {
  return event('position', { cursor }, cursor)
}

export function resetEvent(reset: Reset): Uint8Array {
  return event('reset', resetMembers(reset), reset.cursor)
}

/** Without an id: the client resumes from what it was told before. */
export function problemEvent(problem: Problem): Uint8Array {
  return event('problem', { problem: problem.body() }, null)
}

export function drainEvent(afterMs: number): Uint8Array {
  return event('drain', { afterMs }, null)
}

function event(type: string, members: object, id: string | null): Uint8Array {
  const idLine = id === null ? '' : `id: ${id}\n`
  return encoder.encode(`${idLine}event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`)
}

function resetMembers({ topic, partition, from, to, reason, cursor }: Reset): object {
  return { topic, partition, from, to, reason, cursor }
}
