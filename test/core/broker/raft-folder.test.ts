// A replica's folder, over a disk that can lose what was not synced: what it says is stored is there afterwards, an installation
// that is cut short is finished, and a folder that cannot be trusted is refused.

import { describe, expect, test } from 'bun:test'
import { RaftFolder } from '../../../src/core/broker/raft-folder.ts'
import { StartRefused } from '../../../src/core/broker/index.ts'
import { GroupCommit, type LogWorld } from '../../../src/core/log/index.ts'
import type { StoredRecord } from '../../../src/core/machine/index.ts'
import { controlBatch, type Entry, lastIndexOf, replicaIdOf, type SnapshotHead } from '../../../src/core/raft/index.ts'
import { BatchBuilder } from '../../../src/core/record/index.ts'
import { recordsBatch } from '../../../src/core/broker/raft-records.ts'
import { hostCodec } from '../../../src/edge/host/index.ts'
import { SimClock } from '../../sim/clock.ts'
import { allKept, allLost, randomOutcome, SimDisk } from '../../sim/disk.ts'
import { SimRandom } from '../../sim/random.ts'

const self = replicaIdOf(1, 'a')
const other = replicaIdOf(2, 'b')
const none = { info: () => {}, warn: () => {}, error: () => {} }
const meter = { counter: () => ({ add: () => {} }), gauge: () => {}, histogram: () => ({ observe: () => {} }) }
const valueOf = (text: string): StoredRecord => ({ key: null, value: new TextEncoder().encode(text) })

class Bench {
  disk = new SimDisk(new SimClock())
  folder!: RaftFolder
  stored = 0
  refusals = 0

  open(forms = true, replica = self): this {
    this.run(this.opening(forms, replica))
    return this
  }

  async opening(forms = true, replica = self): Promise<void> {
    const { disk } = this
    const { clock } = disk
    const commits = new GroupCommit(disk, clock, meter, () => disk.die())
    const world: LogWorld = { disk, codec: hostCodec, clock, events: none, commits }
    this.folder = await RaftFolder.open({ folder: 'metadata', replica, forms: forms ? [replica] : [] }, world)
    this.stored = 0
    this.folder.listen({
      onStored: (seq) => void (this.stored = seq),
      onAtHand: () => {},
      onRefused: () => void this.refusals++,
    })
  }

  run<T>(promise: Promise<T>): T {
    return this.disk.clock.run(promise)
  }

  settle(): this {
    this.disk.clock.pass(1_000)
    return this
  }

  again(): this {
    this.run(this.folder.close())
    this.disk = this.disk.kill()
    return this.open()
  }

  refusal(forms = true, replica = self): string {
    this.disk = this.disk.kill()
    try {
      this.open(forms, replica)
    } catch (error) {
      if (error instanceof StartRefused) return error.message
      throw error
    }
    return 'opened'
  }

  /** As `1-2/T3 4/T3`. */
  get log(): string {
    const { folder } = this
    const entries: Entry[] = []
    for (let from = folder.firstIndex(); from <= folder.lastIndex(); from = lastIndexOf(entries.at(-1)!) + 1)
      entries.push(...folder.entries(from, folder.lastIndex(), 1 << 20)!)
    return entries.map(placeOf).join(' ')
  }
}

function placeOf(entry: Entry): string {
  const last = lastIndexOf(entry)
  return `${entry.index}${last === entry.index ? '' : `-${last}`}/T${entry.term}`
}

function records(index: number, term: number, ...values: readonly string[]): Entry {
  const builder = new BatchBuilder(hostCodec)
  const bytes = recordsBatch(values.map(valueOf), builder, { index, term, nowMs: 1 }, hostCodec)
  return { index, count: values.length, term, body: { kind: 'records', bytes } }
}

/** The file of a snapshot, as another broker would send it. */
function snapshotBytes(head: SnapshotHead, text: string): Uint8Array {
  const { index, term } = head
  const parts = [
    controlBatch({ kind: 'snapshot', ...head }, index, term, hostCodec),
    recordsBatch([valueOf(text)], new BatchBuilder(hostCodec), { index, term, nowMs: 0 }, hostCodec),
    controlBatch({ kind: 'end' }, index, term, hostCodec),
  ]
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

async function contentOf(bench: Bench): Promise<string[]> {
  const seen: string[] = []
  const next = await bench.folder.readSnapshot(({ value }) => void seen.push(new TextDecoder().decode(value!)))
  return [...seen, `next ${next}`]
}

describe('a folder', () => {
  test('begins at 1 with its one voter, and is the same when it is opened again', () => {
    const bench = new Bench().open()
    expect([bench.log, bench.folder.vote()]).toEqual(['1/T1', { term: 1, votedFor: null }])
    expect(bench.folder.memberships()).toEqual([{ index: 1, voters: [self] }])
    bench.run(bench.folder.saveVote({ term: 4, votedFor: self }))
    bench.folder.append(1, [{ index: 2, count: 1, term: 4, body: { kind: 'noop' } }, records(3, 4, 'a', 'b')])
    bench.settle().again()
    expect([bench.log, bench.folder.vote()]).toEqual(['1/T1 2/T4 3-4/T4', { term: 4, votedFor: self }])
    expect([1, 2, 4, 5].map((at) => bench.folder.term(at))).toEqual([1, 4, 4, null])
    expect(bench.folder.startOf(4)).toBe(3)
  })

  test('cuts off what another leader did not have, in the order it was told', () => {
    const bench = new Bench().open()
    bench.folder.append(1, [records(2, 1, 'a'), records(3, 1, 'b', 'c')])
    bench.folder.append(2, [records(3, 2, 'd')])
    bench.folder.append(3, [{ index: 4, count: 1, term: 2, body: { kind: 'voters', voters: [self, other] } }])
    bench.folder.append(4, [records(4, 3, 'e')])
    bench.settle()
    expect([bench.stored, bench.log]).toEqual([4, '1/T1 2/T1 3/T2 4/T3'])
    expect(bench.folder.memberships()).toEqual([{ index: 1, voters: [self] }])
    expect(bench.again().log).toBe('1/T1 2/T1 3/T2 4/T3')
  })

  test('without room says so once, and goes on from what was stored', () => {
    const bench = new Bench().open()
    bench.folder.append(1, [records(2, 1, 'a')])
    bench.settle()
    bench.disk.totalBytes = bench.disk.usedBytes
    bench.folder.append(2, [records(3, 1, 'b'.repeat(9_000))])
    bench.settle()
    expect([bench.refusals, bench.stored, bench.log]).toEqual([1, 1, '1/T1 2/T1'])
    bench.disk.totalBytes = Number.POSITIVE_INFINITY
    bench.run(bench.folder.settled())
    bench.folder.append(1, [records(3, 2, 'c')])
    bench.settle()
    expect(bench.again().log).toBe('1/T1 2/T1 3/T2')
  })
})

describe('a snapshot', () => {
  const head: SnapshotHead = { index: 40, term: 6, voters: [self, other] }

  async function install(bench: Bench): Promise<void> {
    const bytes = snapshotBytes(head, 'state')
    bench.folder.beginReceiving(head)
    bench.folder.receive(0, bytes.subarray(0, 100))
    bench.folder.receive(100, bytes.subarray(100))
    expect(await bench.folder.verifyReceived(head)).toBe(true)
    bench.folder.install(9, head)
  }

  test('that is received takes the place of the log', () => {
    const bench = new Bench().open()
    bench.run(install(bench))
    bench.settle()
    expect([bench.stored, bench.folder.firstIndex(), bench.folder.lastIndex()]).toEqual([9, 41, 40])
    bench.folder.append(10, [records(41, 6, 'a')])
    bench.settle().again()
    expect([bench.log, bench.folder.snapshot()]).toEqual(['41/T6', head])
    expect(bench.run(contentOf(bench))).toEqual(['state', 'next 41'])
  })

  test('with a byte wrong, or of another place, is not taken', () => {
    const bench = new Bench().open()
    const bytes = snapshotBytes(head, 'state')
    bench.folder.beginReceiving(head)
    bench.folder.receive(0, bytes)
    expect(bench.run(bench.folder.verifyReceived({ ...head, term: 7 }))).toBe(false)
    bytes[200]! ^= 1
    bench.folder.receive(0, bytes)
    expect(bench.run(bench.folder.verifyReceived(head))).toBe(false)
    expect(bench.again().log).toBe('1/T1')
  })

  test.each(['all lost', 'all kept', 'by chance', 'killed'])(
    'wherever the power goes while it is installed, it is there wholly or not at all: %s',
    (fate) => {
      let wholly = 0
      let calls = Infinity
      for (let dieAt = 1; dieAt <= calls; dieAt++) {
        const bench = new Bench().open()
        bench.folder.append(1, [records(2, 1, 'a'), records(3, 1, 'b')])
        bench.settle()
        bench.run(bench.folder.saveVote({ term: 6, votedFor: null }))
        const from = bench.disk.calls
        bench.disk.onCall = (_, number) => {
          if (number === from + dieAt) bench.disk.die()
        }
        void install(bench).catch(() => {})
        bench.settle()
        calls = bench.disk.isDead ? Infinity : bench.disk.calls - from
        const random = randomOutcome(new SimRandom(dieAt, 'power'))
        const outcome = fate === 'all lost' ? allLost : fate === 'all kept' ? allKept : random
        const wasStored = bench.stored === 9
        bench.disk = fate === 'killed' ? bench.disk.kill() : bench.disk.powerLoss(outcome)
        bench.open()
        const isThere = bench.folder.snapshot() !== null
        if (isThere) wholly++
        else expect(bench.log).toBe('1/T1 2/T1 3/T1')
        if (isThere) expect([bench.log, bench.folder.firstIndex(), bench.folder.lastIndex()]).toEqual(['', 41, 40])
        expect(isThere || !wasStored).toBe(true)
        if (dieAt > 500) throw new Error('it does not end')
      }
      expect(calls).toBeGreaterThan(10)
      expect(wholly).toBeGreaterThan(0)
      expect(wholly).toBeLessThan(calls)
    },
  )

  test('of its own making lets the log go that lies before the one before it', () => {
    const bench = new Bench().open()
    const make = (index: number) =>
      bench.run(bench.folder.saveSnapshot({ index, term: 1, voters: [self] }, [valueOf(`up to ${index}`)], () => {}))
    for (let index = 2; index <= 6; index++) bench.folder.append(index, [records(index, 1, 'x')])
    bench.settle()
    expect([make(2), bench.folder.firstIndex()]).toEqual(['saved', 1])
    expect([make(4), bench.folder.firstIndex()]).toEqual(['saved', 3])
    expect([make(5), bench.folder.firstIndex()]).toEqual(['saved', 5])
    expect(bench.again().log).toBe('5/T1 6/T1')
    expect(bench.run(contentOf(bench))).toEqual(['up to 5', 'next 6'])
  })
})

describe('is refused, with the mend:', () => {
  test('the folder of another replica', () => {
    const bench = new Bench().open()
    expect(bench.refusal(true, other)).toMatch(/the vote in metadata is that of 1\.a, not of 2\.b; .*rejoin --as-new/)
  })

  test('forming a cluster in the folder of one that waits to be taken in', () => {
    const bench = new Bench().open(false)
    expect([bench.folder.lastIndex(), bench.folder.vote()]).toEqual([0, { term: 0, votedFor: null }])
    expect(bench.refusal()).toMatch(/has joined a cluster: name a broker of it with --join/)
    expect(bench.refusal(false)).toBe('opened')
  })

  test('a log that does not reach back to any snapshot', () => {
    const bench = new Bench().open()
    for (let index = 2; index <= 6; index++) bench.folder.append(index, [records(index, 1, 'x')])
    bench.settle()
    for (const index of [2, 4, 5])
      bench.run(bench.folder.saveSnapshot({ index, term: 1, voters: [self] }, [valueOf('s')], () => {}))
    for (const name of bench.disk.list('metadata')) if (name.endsWith('.snapshot')) bench.disk.lose(`metadata/${name}`)
    expect(bench.refusal()).toMatch(/no snapshot in metadata can be read/)
  })
})
