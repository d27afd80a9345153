// What is received ahead is bounded: the room that is asked for, and who has no credit waits.

import { expect, test } from 'bun:test'
import { Inbox, type Received } from '../../src/client/inbox.ts'

function batchOf(count: number, bytes: number): Received {
  const record = { topic: 't', partition: 0, offset: 0, timestamp: 0, appendedAt: 0, value: 0 }
  const batch = { topic: 't', records: Array.from({ length: count }, () => record), cursor: '0.1', caughtUp: false }
  return { kind: 'batch', batch, bytes, stamp: 0 }
}

test('room is what is not filled, and never below nothing', async () => {
  const inbox = new Inbox({ records: 10, bytes: 100 }, null)
  const taken: [number, number][] = []
  inbox.onTaken = (records, bytes) => void taken.push([records, bytes])
  inbox.push(batchOf(4, 50))
  expect(inbox.room).toEqual({ records: 6, bytes: 50 })
  inbox.push(batchOf(8, 90))
  expect(inbox.room).toEqual({ records: 0, bytes: 0 })
  await inbox.take()
  expect(inbox.room).toEqual({ records: 2, bytes: 10 })
  expect(taken).toEqual([[4, 50]])
})

test('who has no credit waits until something is taken, or it is stopped', async () => {
  const inbox = new Inbox({ records: 2, bytes: 100 }, null)
  const stopping = new AbortController()
  await inbox.whenRoom(stopping.signal)
  inbox.push(batchOf(2, 1))
  let hasRoom = false
  const waiting = inbox.whenRoom(stopping.signal).then(() => (hasRoom = true))
  await Promise.resolve()
  expect(hasRoom).toBe(false)
  await inbox.take()
  await waiting
  inbox.push(batchOf(2, 1))
  const stopped = inbox.whenRoom(stopping.signal)
  stopping.abort()
  await stopped
})

test('the end comes behind all that is there', async () => {
  const inbox = new Inbox({ records: 2, bytes: 100 }, null)
  inbox.push(batchOf(1, 1))
  inbox.end(new Error('over'))
  expect((await inbox.take())?.kind).toBe('batch')
  expect(inbox.take()).rejects.toThrow('over')
})
