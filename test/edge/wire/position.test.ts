import { expect, test } from 'bun:test'
import { Problem, readStart, readUntil } from '../../../src/edge/wire/index.ts'

const NOW = 1_800_000_000_000

function outcome(read: { kind: string } | Problem): unknown {
  return read instanceof Problem ? read.code : read
}

test('where to start', () => {
  const cases: [text: string, onePartition: boolean, expected: unknown][] = [
    ['earliest', false, { kind: 'earliest' }],
    ['latest', false, { kind: 'latest' }],
    ['42', true, { kind: 'offset', offset: 42 }],
    ['42', false, 'invalid'],
    ['-10', false, { kind: 'last', count: 10 }],
    ['-0', false, { kind: 'last', count: 0 }],
    ['007', true, 'malformed'],
    ['9007199254740993', true, 'malformed'],
    ['@-24h', false, { kind: 'time', ms: NOW - 86_400_000 }],
    ['@-99999d', false, { kind: 'time', ms: 0 }],
    ['@0', false, { kind: 'time', ms: 0 }],
    ['@1700000000000', false, { kind: 'time', ms: 1_700_000_000_000 }],
    ['@1700000000', false, 'invalid'],
    ['@2026-01-31T09:00:00Z', false, { kind: 'time', ms: Date.UTC(2026, 0, 31, 9) }],
    ['@2026-01-31t09:00:00.25z', false, { kind: 'time', ms: Date.UTC(2026, 0, 31, 9, 0, 0, 250) }],
    ['@2026-01-31T09:00:00+09:00', false, { kind: 'time', ms: Date.UTC(2026, 0, 31, 0) }],
    ['@2026-01-31T09:00:00 09:00', false, { kind: 'time', ms: Date.UTC(2026, 0, 31, 0) }],
    ['@2026-01-31T09:00:00-01:30', false, { kind: 'time', ms: Date.UTC(2026, 0, 31, 10, 30) }],
    ['@2026-01-31T09:00:00', false, 'invalid'],
    ['@2026-13-31T09:00:00Z', false, 'invalid'],
    ['@2026-01-31', false, 'malformed'],
    ['@', false, 'malformed'],
    ['', false, 'malformed'],
  ]
  for (const [text, onePartition, expected] of cases) {
    expect([text, outcome(readStart(text, NOW, onePartition))]).toEqual([text, expected])
  }
})

test('where to end', () => {
  const cases: [text: string, expected: unknown][] = [
    ['latest', { kind: 'latest' }],
    ['@-1h', { kind: 'time', ms: NOW - 3_600_000 }],
    ['0.42', { kind: 'cursor', entries: [{ topicId: null, partition: 0, offset: 42, epoch: null }] }],
    ['earliest', 'malformed'],
    ['42', 'malformed'],
    ['0.x', 'malformed'],
  ]
  for (const [text, expected] of cases) expect([text, outcome(readUntil(text, NOW))]).toEqual([text, expected])
})
