// What the disk itself gives: the bytes of all connections written at once and synced, over and over, by a process that does
// nothing else. No broker that syncs before it acknowledges can be faster, however little it computes.

import { closeSync, fdatasyncSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './load.ts'

const FILE_BYTES_MAX = 64 << 20

/** Bytes a second, the median over slices of a tenth of a second. */
export function syncedWriteRate(folder: string, bytes: Uint8Array, count: number, seconds: number): number {
  const path = join(folder, 'disk-floor')
  const file = openSync(path, 'w+')
  const rates: number[] = []
  try {
    let position = 0
    for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
      const started = performance.now()
      let written = 0
      while (performance.now() - started < 100) {
        if (position > FILE_BYTES_MAX) {
          ftruncateSync(file, 0)
          position = 0
        }
        for (let i = 0; i < count; i++) position += writeSync(file, bytes, 0, bytes.length, position)
        fdatasyncSync(file)
        written += count * bytes.length
      }
      rates.push((written / (performance.now() - started)) * 1000)
    }
  } finally {
    closeSync(file)
    rmSync(path)
  }
  return median(rates)
}

/**
 * Takes that much memory and gives it back. On a virtual machine the first touch of memory costs several times the write
 * itself, and the page cache of a log that grows is fresh memory all the time: a host that has been up for long has none.
 */
export function touchMemory(bytes: number): void {
  const blockBytes = 256 << 20
  const script = `const held = []
for (let left = ${bytes}; left > 0; left -= ${blockBytes}) held.push(new Uint8Array(${blockBytes}).fill(1))`
  Bun.spawnSync([process.execPath, '-e', script])
}
