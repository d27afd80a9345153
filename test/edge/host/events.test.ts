import { expect, test } from 'bun:test'
import { hostEvents } from '../../../src/edge/host/index.ts'

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6)

function lineOf(format: 'text' | 'json'): string {
  let line = ''
  hostEvents(
    format,
    (written) => (line += written),
    () => NOW,
  ).warn('log cut', { topic: 'a', bytes: 12, why: 'torn\ntail', error: null })
  return line
}

test('JSON: one object a line', () => {
  const line = lineOf('json')
  expect(line).toEndWith('}\n')
  expect(JSON.parse(line)).toEqual({
    time: '2026-01-02T03:04:05.006Z',
    level: 'warn',
    event: 'log cut',
    topic: 'a',
    bytes: 12,
    why: 'torn\ntail',
    error: null,
  })
})

test('text: one line whatever a value holds', () => {
  const line = Bun.stripANSI(lineOf('text'))
  expect(line).toBe('03:04:05.006 warn  log cut topic=a bytes=12 why="torn\\ntail" error=null\n')
})
