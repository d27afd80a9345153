// The table of the bench: one line a variant.

import { isReached, type Row } from './bench-world.ts'

const HEADINGS = ['path', 'records/s', 'MB/s', 'p50 ms', 'p99 ms', 'core', 'cpu µs', 'ratio', 'of', 'target', '']
const WIDTHS = [54, 11, 8, 9, 9, 6, 8, 7, 13, 14, 4]
const LEFT = new Set([0, 8, 9])

let isHeadPrinted = false

/** True when a target was missed. */
export function printRows(rows: readonly Row[]): boolean {
  if (!isHeadPrinted) console.log(lineOf(HEADINGS))
  isHeadPrinted = true
  let missed = false
  for (const row of rows) {
    console.log(lineOf(cellsOf(row)))
    if (row.note !== undefined) console.log(`    ${row.note}`)
    missed = isReached(row) === false || missed
  }
  return missed
}

function cellsOf(row: Row): string[] {
  const { requestsPerSecond, p50, p99, busy, cpuMicros } = row.measured
  const reached = isReached(row)
  const targets = []
  if (row.target !== undefined) targets.push(`≥ ${row.target}`)
  if (row.p99Target !== undefined) targets.push(`p99 ${(row.p99Ratio ?? 0).toFixed(1)}≤${row.p99Target}`)
  return [
    row.path,
    count(requestsPerSecond * row.recordsPerRequest),
    ((requestsPerSecond * row.payloadBytes) / 1e6).toFixed(1),
    p50.toFixed(3),
    p99.toFixed(3),
    `${(busy * 100).toFixed(0)}%`,
    cpuMicros.toFixed(cpuMicros < 100 ? 1 : 0),
    row.ratio === undefined ? '' : row.ratio.toFixed(2),
    row.against ?? '',
    targets.join(' '),
    reached === null ? '' : reached ? 'ok' : 'MISS',
  ]
}

function count(value: number): string {
  return value >= 1e6
    ? `${(value / 1e6).toFixed(2)} M`
    : value >= 1e4
      ? `${(value / 1e3).toFixed(1)} k`
      : value.toFixed(0)
}

function lineOf(cells: readonly string[]): string {
  return cells.map((cell, i) => (LEFT.has(i) ? cell.padEnd(WIDTHS[i]!) : cell.padStart(WIDTHS[i]!))).join(' ')
}
