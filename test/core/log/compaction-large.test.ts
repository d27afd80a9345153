// Batches large enough to be inflated and compressed off the event loop, on a real disk and a real loop.

import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GroupCommit, Log } from '../../../src/core/log/index.ts'
import {
  batchBytesOf,
  BatchCodec,
  baseOffsetOf,
  codecOf,
  lastOffsetOf,
  recordsBytesOf,
  stampBatch,
} from '../../../src/core/record/index.ts'
import { HostDisk, hostClock, hostCodec } from '../../../src/edge/host/index.ts'
import { keyedBatch, recordsOf } from './keyed-twin.ts'
import { CONFIG, EventList, quietMeter } from './log-rig.ts'

test.each(['gzip', 'zstd'] as const)(
  'large batches stay compressed: %s',
  async (compression) => {
    const root = mkdtempSync(join(tmpdir(), 'naru-compaction-'))
    const events = new EventList()
    const disk = new HostDisk(root)
    const commits = new GroupCommit(disk, hostClock, quietMeter, (why) => {
      throw new Error(why)
    })
    const world = { disk, codec: hostCodec, clock: hostClock, events, commits }
    const config = { ...CONFIG, segmentBytes: 400_000, cleanup: 'compact', deleteRetentionMs: 1_000 } as const
    const log = await Log.open('log', config, world, { onDurable: () => {}, onRefused: () => {} })
    try {
      const latest = new Map<string, string>()
      for (let i = 0; i < 12; i++) {
        const records = Array.from({ length: 4_000 }, (_, at) => {
          const key = `key ${(i * 1_500 + at) % 9_000}`
          const value = `${i}.${at} ${((i * 4_001 + at) * 2_654_435_761).toString(36).repeat(5)}`
          latest.set(key, value)
          return { key, value }
        })
        const batch = keyedBatch({ records, compression }, 1_000 + i)
        expect(recordsBytesOf(batch, 0)).toBeGreaterThan(200_000)
        stampBatch(batch, 0, log.endOffset, 1_000 + i, 0, hostCodec)
        log.append(batch)
      }
      await commits.idle()
      const before = log.bytes
      expect(await log.compactor.run({ upTo: log.durableEnd, identityMs: 0 })).toBe('done')
      expect(log.bytes).toBeLessThan(before)
      const view = new Map<string, string>()
      let count = 0
      for (let from = 0; from < log.endOffset;) {
        const read = await log.read(from, log.endOffset, 1 << 20)
        if (read.kind !== 'batches') throw new Error(read.kind)
        const { bytes } = read
        for (let at = 0; at < bytes.length; at += batchBytesOf(bytes, at)) {
          expect(baseOffsetOf(bytes, at)).toBe(from)
          from = lastOffsetOf(bytes, at) + 1
          if (recordsBytesOf(bytes, at) > 0) expect(codecOf(bytes, at)).toBe(BatchCodec[compression])
        }
        for (const { key, value } of recordsOf(bytes)) view.set(key!, value!)
        count += recordsOf(bytes).length
      }
      expect(view).toEqual(latest)
      expect(count).toBeLessThan(24_000)
      expect(events.of('log-compacted')).toMatchObject([{ end: 'done', bytesBefore: before, bytesAfter: log.bytes }])
    } finally {
      await log.close()
      rmSync(root, { recursive: true, force: true })
    }
  },
  60_000,
)
