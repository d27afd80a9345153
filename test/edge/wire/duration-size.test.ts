import { expect, test } from 'bun:test'
import { durationMs, sizeBytes } from '../../../src/edge/wire/index.ts'

test('a duration is a whole number and its unit', () => {
  const cases: [string, number | null][] = [
    ['250ms', 250],
    ['0s', 0],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['30', null],
    ['1.5s', null],
    ['-1s', null],
    ['s', null],
    ['1w', null],
    ['1S', null],
    ['1toString', null],
    [' 1s', null],
    ['999999999999999d', null],
  ]
  for (const [text, expected] of cases) expect([text, durationMs(text)]).toEqual([text, expected])
})

test('a size is a whole number and its binary unit', () => {
  const cases: [string, number | null][] = [
    ['512B', 512],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['2GiB', 2_147_483_648],
    ['1KB', null],
    ['1M', null],
    ['1024', null],
    ['1mib', null],
  ]
  for (const [text, expected] of cases) expect([text, sizeBytes(text)]).toEqual([text, expected])
})
