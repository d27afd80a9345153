// Frames from clients: whatever they hold, reading them ends in an operation, a refusal, or a close.

import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { readOp } from '../../../src/edge/wire/index.ts'

const decoder = new TextDecoder()

test('any text is an operation, refused, or no JSON object', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fc
      .tuple(fc.constantFrom('produce', 'subscribe', 'credit', 'ping', '__proto__', 'constructor'), fc.jsonValue())
      .map(([op, records]) => JSON.stringify({ op, id: 'x', records })),
  )
  fc.assert(
    fc.property(text, (frame) => {
      const op = readOp(frame)
      let isObject = false
      try {
        const value: unknown = JSON.parse(frame)
        isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
      } catch {}
      expect(op === null).toBe(!isObject)
    }),
    { numRuns: 500 },
  )
})

test('the records of a produce are handed on as they were sent', () => {
  const record = fc.record({ value: fc.jsonValue(), key: fc.string() })
  const members = fc.tuple(fc.array(record), fc.string(), fc.nat(2), fc.constantFrom('', ' ', '\n\t'))
  fc.assert(
    fc.property(members, ([records, key, at, space]) => {
      const sent = JSON.stringify(records)
      const idempotencyKey = key === '' ? 'k' : key.slice(0, 100)
      const others = [`"op":"produce"`, `"id":"i","topic":"t"`, `"idempotencyKey":${JSON.stringify(idempotencyKey)}`]
      others.splice(at, 0, `"records"${space}:${space}${sent}`)
      const op = readOp(`${space}{${space}${others.join(`${space},${space}`)}${space}}${space}`)
      if (op?.op !== 'produce') throw new Error(JSON.stringify(op))
      expect(decoder.decode(op.records)).toBe(sent)
      expect([op.id, op.topic, op.acks, op.idempotencyKey]).toEqual(['i', 't', 'all', idempotencyKey])
    }),
  )
})

test('what JSON does not allow is not let through beside the records', () => {
  const head = '"op":"produce","id":"i","topic":"t"'
  for (const frame of [
    `{${head},"records":[1],}`,
    `{,${head},"records":[1]}`,
    `{${head} "records":[1]}`,
    `{${head},"records":[1]}}`,
    `{${head},"records":[1]} x`,
    `{${head},"records" [1]}`,
    `{${head},"records":[1]`,
    `{${head},records:[1]}`,
    `{${head},"records":[01]}`,
  ]) {
    expect([frame, readOp(frame)]).toEqual([frame, null])
  }
})

test('of records that are given twice the last count, as for JSON.parse', () => {
  const op = readOp('{"op":"produce","id":"i","topic":"t","records":[1],"records":[2]}')
  expect(op?.op === 'produce' && decoder.decode(op.records)).toBe('[2]')
})
